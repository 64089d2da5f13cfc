// The questions of `keydesk init`: one for each flag that is missing, and again after a wrong answer.

import { describe, expect, it } from 'vitest';
import { completeByQuestions } from '../../../cli/starter-questions.ts';
import { toAnswers, type Written } from '../../../shared/core/starter/answers.ts';

const WEB = '0184990a-4782-42b5-afc1-16715b10b1f0';
const RELEASE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
const ORGANIZATION = 'f892efa9-103e-4d28-97a1-3b8616a0994d';

async function answer(given: Written, ...lines: string[]) {
  const [left, questions, shown] = [[...lines], [] as string[], [] as string[]];
  const written = await completeByQuestions(
    given,
    async (question) => {
      questions.push(question);
      return left.shift();
    },
    (line) => shown.push(line),
  );
  return { written, questions: questions.length, asked: questions, shown, left };
}

describe('questions', () => {
  it('lead to complete answers', async () => {
    const { written, shown, left } = await answer(
      {},
      ...['acme-inc', ORGANIZATION, `web=${WEB}, web-release=${RELEASE}`],
      ...['staging=acme-staging production=acme-production', 'staging=acme-ci-pool'],
      ...[
        'staging=web production=web-release',
        '#platform on Slack',
        'acme-keydesk',
        'europe-west1',
        '123456789012',
        '',
      ],
    );
    expect({ shown, left }).toEqual({ shown: [], left: [] });
    expect(toAnswers(written ?? {})).toMatchObject({
      url: 'https://keydesk-token-123456789012.europe-west1.run.app',
      projectNumbers: { 'acme-keydesk': '123456789012' },
      environments: [
        { name: 'staging', pipeline: 'web' },
        { name: 'production', pipeline: 'web-release' },
      ],
    });
  });

  const MOST: Written = {
    organization: 'acme-inc',
    organizationId: ORGANIZATION,
    pipeline: [`web=${WEB}`],
    firestore: ['staging=acme-staging'],
    contact: '#platform',
    project: 'acme-keydesk',
    region: 'europe-west1',
    url: 'https://keydesk.acme.example',
  };

  it('are none where flags say everything', async () => {
    expect(await answer(MOST)).toMatchObject({ written: MOST, questions: 0 });
  });

  it('are only about what is missing', async () => {
    const { contact: _, ...rest } = MOST;
    expect(await answer(rest, '#help')).toMatchObject({ written: { ...MOST, contact: '#help' }, questions: 1 });
  });

  it('come again after an answer that is wrong or empty', async () => {
    const { organizationId: _, ...rest } = MOST;
    const { written, shown } = await answer(rest, '', 'acme', ORGANIZATION);
    expect(written).toEqual(MOST);
    expect(shown).toHaveLength(2);
  });

  it('come again after names that do not fit together', async () => {
    const two = { ...MOST, pipeline: [`web=${WEB}`, `web-release=${RELEASE}`] };
    const { written, shown } = await answer(two, 'staging=wbe', 'production=web', 'staging=web-release');
    expect(written?.deploys).toEqual(['staging=web-release']);
    expect(shown).toEqual([
      'There is no pipeline "wbe". Did you mean "web"?',
      'There is no environment "production". Known: staging.',
    ]);
  });

  it('about a list say how to write it, and which names there are', async () => {
    const { firestore: _, ...rest } = MOST;
    const two = { ...rest, pipeline: [`web=${WEB}`, `web-release=${RELEASE}`] };
    const { asked } = await answer(two, 'staging=acme-staging', '', 'staging=web');
    expect(asked).toHaveLength(3);
    for (const question of asked) expect(question).toContain('with spaces between');
    expect(asked[2]).toContain('(environments: staging; pipelines: web, web-release)');
  });

  it('take an empty answer for no database, if there is a pool', async () => {
    const { firestore: _, ...rest } = MOST;
    const { written, shown } = await answer(rest, '', '', 'staging=acme-ci-pool');
    expect(written).toMatchObject({ pool: ['staging=acme-ci-pool'] });
    expect(written).not.toHaveProperty('firestore');
    expect(shown).toHaveLength(1);
  });

  it('come to nothing when the input ends', async () => {
    expect((await answer({}, 'acme-inc')).written).toBeUndefined();
  });
});
