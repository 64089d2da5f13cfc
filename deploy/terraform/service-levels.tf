# The service levels of slos.json, and the service they belong to. Their ids are what burn-rate alerts name:
# projects/PROJECT_ID/services/keydesk/serviceLevelObjectives/ID.

resource "google_monitoring_custom_service" "keydesk" {
  for_each = var.create_monitoring ? { keydesk = local.monitoring.slos.service } : {}

  project      = var.project_id
  service_id   = each.key
  display_name = each.value.displayName
  user_labels  = merge(var.labels, each.value.userLabels)

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_slo" "keydesk" {
  for_each = local.slos

  project             = var.project_id
  service             = google_monitoring_custom_service.keydesk["keydesk"].service_id
  slo_id              = each.key
  display_name        = each.value.displayName
  goal                = each.value.goal
  rolling_period_days = tonumber(trimsuffix(each.value.rollingPeriod, "s")) / 86400
  user_labels         = merge(var.labels, each.value.userLabels)

  request_based_sli {
    dynamic "good_total_ratio" {
      for_each = [for kind, indicator in each.value.serviceLevelIndicator.requestBased : indicator if kind == "goodTotalRatio"]
      content {
        good_service_filter = good_total_ratio.value.goodServiceFilter
        bad_service_filter  = good_total_ratio.value.badServiceFilter
      }
    }

    dynamic "distribution_cut" {
      for_each = [for kind, indicator in each.value.serviceLevelIndicator.requestBased : indicator if kind == "distributionCut"]
      content {
        distribution_filter = distribution_cut.value.distributionFilter
        range {
          min = distribution_cut.value.range.min
          max = distribution_cut.value.range.max
        }
      }
    }
  }

  depends_on = [google_logging_metric.keydesk]
}
