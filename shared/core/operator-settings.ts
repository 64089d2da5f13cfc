// The settings of `reader` and `admin`: those of every function, and for whom people's ID tokens must be.

import * as z from 'zod';
import {
  baseUrl,
  type Environment,
  type Problems,
  readSettings,
  type Settings,
  settingsSchema,
  VISIBLE,
} from './settings.ts';

const operatorSettingsSchema = settingsSchema.extend({
  KEYDESK_OPERATOR_AUDIENCES: z
    .string({
      error: "is not set: it names the audiences of people's ID tokens, such as the URL of this function",
    })
    .transform((text) => text.split(',').map((audience) => audience.trim()))
    .refine((audiences) => audiences.every((audience) => VISIBLE.test(audience)), {
      error: 'must be audiences of ID tokens, separated by commas',
    }),
  KEYDESK_GOOGLE_KEYS_URL: baseUrl('https://www.googleapis.com/oauth2/v3/certs'),
});

export type OperatorSettings = z.output<typeof operatorSettingsSchema>;
/** Those that the other functions do not have. */
export type OwnOperatorSettings = Omit<OperatorSettings, keyof Settings>;

export function parseOperatorSettings(environment: Environment): { settings: OperatorSettings } | Problems {
  return readSettings(operatorSettingsSchema, environment);
}
