-- From what was touched back to the job: for each entry of Google's audit log about a resource, the grant, the job, the
-- commit and the rule behind it. Narrow `touches` to what you ask about: a resource, a method, a time.
WITH lines AS (
  SELECT
    JSON_VALUE(json_payload.grant_id) AS grant_id,
    JSON_VALUE(json_payload.kind) AS kind,
    JSON_VALUE(json_payload.service_account) AS service_account,
    TIMESTAMP(JSON_VALUE(json_payload.leased_at)) AS leased_at,
    TIMESTAMP(JSON_VALUE(json_payload.expires_at)) AS expires_at,
    TIMESTAMP(JSON_VALUE(json_payload.dead_at)) AS dead_at,
    JSON_QUERY_ARRAY(json_payload.past_leases) AS past_leases,
    JSON_VALUE(json_payload.organization_slug) AS organization_slug,
    JSON_VALUE(json_payload.pipeline_slug) AS pipeline_slug,
    JSON_VALUE(json_payload.build_number) AS build_number,
    JSON_VALUE(json_payload.build_branch) AS build_branch,
    JSON_VALUE(json_payload.build_commit) AS build_commit,
    JSON_VALUE(json_payload.job_id) AS job_id,
    JSON_VALUE(json_payload.step_key) AS step_key,
    JSON_VALUE(json_payload.credential) AS credential,
    JSON_VALUE(json_payload.rule) AS rule_name,
    JSON_VALUE(json_payload.policy_sha256) AS policy_sha256,
    timestamp AS logged_at
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE JSON_VALUE(json_payload.event) IN ('grant.issued', 'grant.revoked', 'grant.renewal_ended', 'grant.expired')
),
numbered AS (
  SELECT lines.*, ROW_NUMBER() OVER (PARTITION BY grant_id ORDER BY logged_at DESC) AS nth
  FROM lines
),
grants AS (
  SELECT numbered.* FROM numbered WHERE nth = 1
),
held AS (
  SELECT grant_id, service_account, leased_at AS held_from, COALESCE(dead_at, expires_at) AS held_until
  FROM grants
  WHERE kind = 'pooled_service_account'
  UNION ALL
  SELECT grants.grant_id,
    JSON_VALUE(lease.service_account) AS service_account,
    TIMESTAMP(JSON_VALUE(lease.leased_at)) AS held_from,
    TIMESTAMP(JSON_VALUE(lease.dead_at)) AS held_until
  FROM grants
  CROSS JOIN UNNEST(grants.past_leases) AS lease
),
touches AS (
  SELECT
    timestamp AS touched_at,
    proto_payload.audit_log.method_name AS method_name,
    proto_payload.audit_log.resource_name AS resource_name,
    proto_payload.audit_log.authentication_info.principal_email AS principal_email,
    JSON_VALUE(proto_payload.audit_log.authentication_info.third_party_principal.payload.keydesk_grant) AS keydesk_grant
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE log_name LIKE '%cloudaudit.googleapis.com%'
    AND timestamp >= TIMESTAMP('2026-11-17 00:00:00+00') AND timestamp < TIMESTAMP('2026-11-18 00:00:00+00')
    AND proto_payload.audit_log.resource_name LIKE 'projects/acme-production/databases/%'
),
joined AS (
  SELECT touches.touched_at, touches.method_name, touches.resource_name, touches.principal_email,
    COALESCE(touches.keydesk_grant, held.grant_id) AS grant_id
  FROM touches
  LEFT JOIN held
    ON touches.principal_email = held.service_account
    AND touches.touched_at >= held.held_from AND touches.touched_at <= held.held_until
)
SELECT
  joined.touched_at, joined.method_name, joined.resource_name, joined.principal_email, joined.grant_id,
  grants.organization_slug, grants.pipeline_slug, grants.build_number, grants.build_branch, grants.build_commit,
  grants.job_id, grants.step_key, grants.credential, grants.rule_name, grants.policy_sha256
FROM joined
LEFT JOIN grants ON grants.grant_id = joined.grant_id
ORDER BY joined.touched_at
