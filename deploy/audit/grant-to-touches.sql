-- Everything that one grant touched. Put the grant's id into `asked`, and your linked dataset into the two FROM lines.
-- A token judged by rules carries its grant; an account of a pool served this grant alone from leased_at to dead_at.
-- Of a shared account only candidates can be told: everything it did while a token of this grant was accepted.
WITH asked AS (
  SELECT '00000000000000000000000000000000' AS grant_id
),
lines AS (
  SELECT
    JSON_VALUE(json_payload.grant_id) AS grant_id,
    JSON_VALUE(json_payload.event) AS event,
    JSON_VALUE(json_payload.kind) AS kind,
    JSON_VALUE(json_payload.service_account) AS service_account,
    TIMESTAMP(JSON_VALUE(json_payload.created_at)) AS created_at,
    TIMESTAMP(JSON_VALUE(json_payload.leased_at)) AS leased_at,
    TIMESTAMP(JSON_VALUE(json_payload.expires_at)) AS expires_at,
    TIMESTAMP(JSON_VALUE(json_payload.dead_at)) AS dead_at,
    JSON_QUERY_ARRAY(json_payload.past_leases) AS past_leases,
    timestamp AS logged_at
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE JSON_VALUE(json_payload.event) IN ('grant.issued', 'grant.revoked', 'grant.renewal_ended', 'grant.expired')
),
latest AS (
  SELECT lines.*, ROW_NUMBER() OVER (PARTITION BY lines.grant_id ORDER BY logged_at DESC) AS nth
  FROM lines
  INNER JOIN asked ON lines.grant_id = asked.grant_id
),
held AS (
  SELECT grant_id, kind, service_account,
    COALESCE(leased_at, created_at) AS held_from,
    COALESCE(dead_at, expires_at) AS held_until
  FROM latest
  WHERE nth = 1
  UNION ALL
  SELECT latest.grant_id, latest.kind,
    JSON_VALUE(lease.service_account) AS service_account,
    TIMESTAMP(JSON_VALUE(lease.leased_at)) AS held_from,
    TIMESTAMP(JSON_VALUE(lease.dead_at)) AS held_until
  FROM latest
  CROSS JOIN UNNEST(latest.past_leases) AS lease
  WHERE latest.nth = 1
),
touches AS (
  SELECT
    timestamp AS touched_at,
    proto_payload.audit_log.service_name AS service_name,
    proto_payload.audit_log.method_name AS method_name,
    proto_payload.audit_log.resource_name AS resource_name,
    proto_payload.audit_log.status.code AS status_code,
    proto_payload.audit_log.request_metadata.caller_ip AS caller_ip,
    proto_payload.audit_log.authentication_info.principal_email AS principal_email,
    JSON_VALUE(proto_payload.audit_log.authentication_info.third_party_principal.payload.keydesk_grant) AS keydesk_grant
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE log_name LIKE '%cloudaudit.googleapis.com%'
)
SELECT
  CASE held.kind WHEN 'service_account' THEN 'candidate: the account is shared' ELSE 'this grant' END AS by_whom,
  touches.touched_at, touches.service_name, touches.method_name, touches.resource_name, touches.status_code,
  touches.caller_ip
FROM held
INNER JOIN touches
  ON (held.kind = 'firestore' AND touches.keydesk_grant = held.grant_id)
  OR (held.kind != 'firestore' AND touches.principal_email = held.service_account
    AND touches.touched_at >= held.held_from AND touches.touched_at <= held.held_until)
ORDER BY touches.touched_at
