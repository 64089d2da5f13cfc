// Which arguments the provider cannot change in place: with another value it deletes the resource and creates it.
// Source: the provider at the commit that the schema was printed from (e03b7622), ForceNew in google/services and google/tpgiamresource; arguments
// inside of blocks count as their block where the block itself has it.

const REPLACED: Readonly<Record<string, readonly string[]>> = {
  google_apikeys_key: ['name', 'project', 'service_account_email'],
  google_artifact_registry_repository: [
    'format',
    'kms_key_name',
    'location',
    'mode',
    'project',
    'remote_repository_config',
    'repository_id',
  ],
  google_artifact_registry_repository_iam_member: ['condition', 'location', 'member', 'project', 'repository', 'role'],
  google_cloud_identity_group_membership: ['group', 'preferred_member_key'],
  google_cloud_run_v2_service: ['location', 'name', 'project', 'tags'],
  google_cloud_run_v2_service_iam_binding: ['condition', 'location', 'name', 'project', 'role'],
  google_cloud_run_v2_service_iam_member: ['condition', 'location', 'member', 'name', 'project', 'role'],
  google_cloud_scheduler_job: ['name', 'project', 'region'],
  google_firestore_database: [
    'cmek_config',
    'database_edition',
    'firestore_data_access_mode',
    'location_id',
    'mongodb_compatible_data_access_mode',
    'name',
    'project',
    'realtime_updates_mode',
    'tags',
  ],
  google_firestore_field: ['collection', 'database', 'field', 'project'],
  google_firestore_index: [
    'api_scope',
    'collection',
    'database',
    'density',
    'fields',
    'multikey',
    'project',
    'query_scope',
    'unique',
  ],
  google_logging_linked_dataset: ['bucket', 'description', 'link_id', 'location', 'parent'],
  google_logging_metric: ['project'],
  google_logging_project_bucket_config: ['bucket_id', 'location', 'project'],
  google_logging_project_sink: ['name', 'project'],
  google_monitoring_alert_policy: ['project'],
  google_monitoring_custom_service: ['project', 'service_id'],
  google_monitoring_dashboard: ['project'],
  google_monitoring_slo: ['project', 'service', 'slo_id'],
  google_monitoring_uptime_check_config: [
    'checker_type',
    'monitored_resource',
    'project',
    'resource_group',
    'synthetic_monitor',
  ],
  google_org_policy_policy: ['name', 'parent'],
  google_project_iam_audit_config: ['project', 'service'],
  google_project_iam_custom_role: ['project', 'role_id'],
  google_project_iam_member: ['condition', 'member', 'project', 'role'],
  google_project_service: ['project', 'service'],
  google_secret_manager_secret: ['project', 'replication', 'secret_id', 'tags'],
  google_secret_manager_secret_iam_member: ['condition', 'member', 'project', 'role', 'secret_id'],
  google_service_account: ['account_id', 'project'],
  google_service_account_iam_binding: ['condition', 'role', 'service_account_id'],
  google_service_account_iam_member: ['condition', 'member', 'role', 'service_account_id'],
  google_storage_bucket: ['enable_object_retention', 'hierarchical_namespace', 'location', 'name', 'project'],
  google_storage_bucket_iam_member: ['bucket', 'condition', 'member', 'role'],
  google_storage_bucket_object: [
    'bucket',
    'cache_control',
    'content_disposition',
    'content_encoding',
    'content_language',
    'content_type',
    'force_empty_content_type',
    'kms_key_name',
    'metadata',
    'name',
    'source',
    'storage_class',
  ],
};

type State = Readonly<Record<string, unknown>>;

/** The changed arguments that make a change a replacement. */
export function replacedBy(type: string, prior: State, planned: State): readonly string[] {
  return (REPLACED[type] ?? []).filter((name) => JSON.stringify(prior[name]) !== JSON.stringify(planned[name]));
}
