-- What accounts did while they were leased to no job. Filter by touched_at, and by principal_email: the accounts of your pools.
-- Made of touches-without-lease.sql (npm run docs). It reads the whole archive, and BigQuery bills what it reads.
WITH entries AS (
  SELECT timestamp, log_name, json_payload, proto_payload
  FROM `PROJECT.keydesk_logs._AllLogs`
),
lines AS (
  SELECT
    timestamp AS logged_at,
    JSON_VALUE(json_payload.event) AS event,
    JSON_VALUE(json_payload.grant_id) AS grant_id,
    JSON_VALUE(json_payload.kind) AS kind,
    JSON_VALUE(json_payload.credential) AS credential,
    JSON_VALUE(json_payload.environment) AS environment,
    JSON_VALUE(json_payload.revocation) AS revocation,
    JSON_VALUE(json_payload.rule) AS rule_name,
    JSON_VALUE(json_payload.policy_sha256) AS policy_sha256,
    JSON_VALUE(json_payload.service_account) AS service_account,
    JSON_VALUE(json_payload.organization_slug) AS organization_slug,
    JSON_VALUE(json_payload.pipeline_slug) AS pipeline_slug,
    JSON_VALUE(json_payload.build_number) AS build_number,
    JSON_VALUE(json_payload.build_branch) AS build_branch,
    JSON_VALUE(json_payload.build_commit) AS build_commit,
    JSON_VALUE(json_payload.job_id) AS job_id,
    JSON_VALUE(json_payload.step_key) AS step_key,
    TIMESTAMP(JSON_VALUE(json_payload.created_at)) AS created_at,
    TIMESTAMP(JSON_VALUE(json_payload.leased_at)) AS leased_at,
    TIMESTAMP(JSON_VALUE(json_payload.issued_at)) AS issued_at,
    TIMESTAMP(JSON_VALUE(json_payload.token_expires_at)) AS token_expires_at,
    TIMESTAMP(JSON_VALUE(json_payload.expires_at)) AS expires_at,
    TIMESTAMP(JSON_VALUE(json_payload.access_ended_at)) AS access_ended_at,
    JSON_QUERY_ARRAY(json_payload.past_leases) AS past_leases
  FROM entries
  WHERE JSON_VALUE(json_payload.event) IN ('grant.issued', 'grant.revoked', 'grant.ended', 'grant.expired')
),
latest AS (
  SELECT lines.*, ROW_NUMBER() OVER (PARTITION BY grant_id ORDER BY logged_at DESC) AS nth
  FROM lines
),
grants AS (
  SELECT latest.* FROM latest WHERE nth = 1
),
held AS (
  SELECT grant_id, kind, service_account,
    COALESCE(leased_at, created_at) AS held_from,
    COALESCE(access_ended_at, expires_at) AS held_until
  FROM grants
  UNION ALL
  SELECT grants.grant_id, grants.kind,
    JSON_VALUE(lease.service_account) AS service_account,
    TIMESTAMP(JSON_VALUE(lease.leased_at)) AS held_from,
    TIMESTAMP(JSON_VALUE(lease.access_ended_at)) AS held_until
  FROM grants
  CROSS JOIN UNNEST(grants.past_leases) AS lease
),
touches AS (
  SELECT
    timestamp AS touched_at,
    proto_payload.audit_log.service_name AS service_name,
    proto_payload.audit_log.method_name AS method_name,
    proto_payload.audit_log.resource_name AS resource_name,
    NULLIF(TO_JSON_STRING(COALESCE(
      proto_payload.audit_log.request.name,
      proto_payload.audit_log.request.documents,
      proto_payload.audit_log.request.writes,
      proto_payload.audit_log.request.structuredQuery,
      proto_payload.audit_log.request.addTarget,
      proto_payload.audit_log.request
    )), 'null') AS asked_for,
    JSON_VALUE(proto_payload.audit_log.request.parent) AS asked_under,
    TO_JSON_STRING(proto_payload.audit_log.request) AS request,
    proto_payload.audit_log.num_response_items AS num_response_items,
    proto_payload.audit_log.status.code AS status_code,
    proto_payload.audit_log.request_metadata.caller_ip AS caller_ip,
    proto_payload.audit_log.authentication_info.principal_email AS principal_email,
    JSON_VALUE(proto_payload.audit_log.authentication_info.third_party_principal.payload.keydesk_grant) AS keydesk_grant
  FROM entries
  WHERE log_name LIKE '%/logs/cloudaudit.googleapis.com%'
)
SELECT
  touches.touched_at, touches.principal_email, touches.service_name, touches.method_name, touches.resource_name,
  touches.asked_for, touches.asked_under, touches.num_response_items, touches.status_code, touches.caller_ip
FROM touches
LEFT JOIN held
  ON held.kind = 'pooled_service_account' AND held.service_account = touches.principal_email
  AND touches.touched_at >= held.held_from AND touches.touched_at <= held.held_until
WHERE held.grant_id IS NULL
