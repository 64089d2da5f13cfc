// The software bill of materials of one archive, as CycloneDX 1.6 JSON: the packages that are bundled into it and those that
// `npm ci` installs next to it, with their versions, licences and npm's own hashes. It has neither time nor serial number, so
// that the same sources give the same bytes. Source: cyclonedx.org/docs/1.6/json.

import { Enums, Models, Serialize, SPDX, Spec } from '@cyclonedx/cyclonedx-library';
import { type LockedPackages, neededBy, packageIn } from './lock-file.ts';

export interface Materials {
  readonly name: string;
  readonly version: string;
  readonly packages: LockedPackages;
  /** Folders, as the lock file names them, of what the bundles hold. */
  readonly bundled: readonly string[];
  /** Folders of what is installed next to them. */
  readonly installed: readonly string[];
}

const LIBRARY = '@cyclonedx/cyclonedx-library';

export function billOfMaterials({ name, version, packages, bundled, installed }: Materials): string {
  const components = new Map<string, Models.Component>();
  const byFolder = new Map<string, Models.Component>();
  for (const folder of [...new Set([...bundled, ...installed])].sort()) {
    const made = toComponent(folder, packages);
    // One package may lie in several folders.
    const component = components.get(made.purl ?? '') ?? made;
    components.set(component.purl ?? '', component);
    byFolder.set(folder, component);
    if (bundled.includes(folder)) component.properties.add(new Models.Property('keydesk:delivered', 'bundled'));
    if (installed.includes(folder)) component.properties.add(new Models.Property('keydesk:delivered', 'installed'));
  }
  for (const [folder, component] of byFolder)
    for (const needed of neededBy(folder, packages)) {
      const dependency = byFolder.get(needed);
      if (dependency) component.dependencies.add(dependency.bomRef);
    }

  const archive = new Models.Component(Enums.ComponentType.Application, name, { version, bomRef: name });
  archive.licenses.add(new Models.SpdxLicense('Apache-2.0'));
  for (const component of components.values()) archive.dependencies.add(component.bomRef);
  const tools = new Models.Tools();
  tools.components.add(toComponent(`node_modules/${LIBRARY}`, packages));
  const bom = new Models.Bom({
    metadata: new Models.Metadata({ component: archive, tools }),
    components: new Models.ComponentRepository(components.values()),
  });
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function toComponent(folder: string, packages: LockedPackages): Models.Component {
  const { version, integrity, license } = packageIn(folder, packages);
  const fullName = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const [, scope, name = fullName] = /^(@[^/]+)\/(.+)$/.exec(fullName) ?? [];
  const purl = `pkg:npm/${scope ? `${encodeURIComponent(scope)}/` : ''}${name}@${encodeURIComponent(version)}`;
  const component = new Models.Component(Enums.ComponentType.Library, name, {
    ...(scope ? { group: scope } : {}),
    version,
    purl,
    bomRef: purl,
    scope: Enums.ComponentScope.Required,
  });
  const [, sha512] = /^sha512-(\S+)$/.exec(integrity ?? '') ?? [];
  if (!sha512) throw new Error(`the lock file has no SHA-512 of ${folder}`);
  component.hashes.set(Enums.HashAlgorithm['SHA-512'], Buffer.from(sha512, 'base64').toString('hex'));
  if (!license) throw new Error(`the lock file has no licence of ${folder}`);
  component.licenses.add(
    SPDX.isSupportedSpdxId(license) ? new Models.SpdxLicense(license) : new Models.LicenseExpression(license),
  );
  return component;
}
