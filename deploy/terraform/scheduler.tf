# Calls the sweep each full minute, as an identity that may do nothing else. A missed minute is not repeated: the next does
# the same work.

resource "google_cloud_scheduler_job" "sweep" {
  for_each = { for name, function in local.deployed : name => function if name == "sweep" }

  project          = var.project_id
  region           = coalesce(var.scheduler_region, var.region)
  name             = "${var.name_prefix}-sweep"
  description      = "Keydesk: runs the sweep each minute"
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.timeout + 10}s"

  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = google_cloud_run_v2_service.keydesk["sweep"].uri

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = google_cloud_run_v2_service.keydesk["sweep"].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_binding.sweep]
}
