-- What an account of a pool did while it was leased to no job. There should be no rows: each is a use of the account that
-- Keydesk did not hand out, or one inside the minutes in which a disabled account's tokens were still accepted.
WITH lines AS (
  SELECT
    JSON_VALUE(json_payload.grant_id) AS grant_id,
    JSON_VALUE(json_payload.service_account) AS service_account,
    TIMESTAMP(JSON_VALUE(json_payload.leased_at)) AS leased_at,
    TIMESTAMP(JSON_VALUE(json_payload.expires_at)) AS expires_at,
    TIMESTAMP(JSON_VALUE(json_payload.dead_at)) AS dead_at
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE JSON_VALUE(json_payload.kind) = 'pooled_service_account'
    AND JSON_VALUE(json_payload.event) IN ('grant.issued', 'grant.revoked', 'grant.renewal_ended', 'grant.expired')
),
leases AS (
  SELECT service_account, grant_id, leased_at,
    COALESCE(MIN(dead_at), MAX(expires_at)) AS held_until
  FROM lines
  GROUP BY service_account, grant_id, leased_at
),
accounts AS (
  SELECT DISTINCT service_account FROM leases
),
touches AS (
  SELECT
    timestamp AS touched_at,
    proto_payload.audit_log.service_name AS service_name,
    proto_payload.audit_log.method_name AS method_name,
    proto_payload.audit_log.resource_name AS resource_name,
    proto_payload.audit_log.status.code AS status_code,
    proto_payload.audit_log.request_metadata.caller_ip AS caller_ip,
    proto_payload.audit_log.authentication_info.principal_email AS principal_email
  FROM `PROJECT.keydesk_logs._AllLogs`
  WHERE log_name LIKE '%cloudaudit.googleapis.com%'
)
SELECT
  touches.touched_at, touches.principal_email, touches.service_name, touches.method_name, touches.resource_name,
  touches.status_code, touches.caller_ip
FROM touches
INNER JOIN accounts ON accounts.service_account = touches.principal_email
LEFT JOIN leases
  ON leases.service_account = touches.principal_email
  AND touches.touched_at >= leases.leased_at AND touches.touched_at <= leases.held_until
WHERE leases.grant_id IS NULL
ORDER BY touches.touched_at
