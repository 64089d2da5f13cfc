// The Terraform module's folder, and what of it grants something.

export const MODULE = 'deploy/terraform';

/** Whether a resource type grants somebody something. */
export function grants(type: string): boolean {
  return /_iam_(member|binding|policy)$/.test(type);
}
