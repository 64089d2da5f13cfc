# The service levels of slos.json, and the service they belong to. Their ids are what burn-rate alerts name:
# projects/PROJECT_ID/services/keydesk/serviceLevelObjectives/ID.

resource "google_monitoring_custom_service" "desk" {
  for_each = length(local.slos) > 0 ? { keydesk = "Keydesk" } : {}

  project      = var.project_id
  service_id   = each.key
  display_name = each.value

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_slo" "desk" {
  for_each = local.slos

  project             = var.project_id
  service             = google_monitoring_custom_service.desk["keydesk"].service_id
  slo_id              = each.key
  display_name        = each.value.displayName
  goal                = each.value.goal
  rolling_period_days = can(each.value.rollingPeriod) ? tonumber(trimsuffix(each.value.rollingPeriod, "s")) / 86400 : null
  calendar_period     = try(each.value.calendarPeriod, null)

  dynamic "request_based_sli" {
    for_each = can(each.value.serviceLevelIndicator.requestBased) ? [each.value.serviceLevelIndicator.requestBased] : []
    content {
      dynamic "good_total_ratio" {
        for_each = can(request_based_sli.value.goodTotalRatio) ? [request_based_sli.value.goodTotalRatio] : []
        content {
          good_service_filter  = try(good_total_ratio.value.goodServiceFilter, null)
          bad_service_filter   = try(good_total_ratio.value.badServiceFilter, null)
          total_service_filter = try(good_total_ratio.value.totalServiceFilter, null)
        }
      }
      dynamic "distribution_cut" {
        for_each = can(request_based_sli.value.distributionCut) ? [request_based_sli.value.distributionCut] : []
        content {
          distribution_filter = distribution_cut.value.distributionFilter
          range {
            min = try(distribution_cut.value.range.min, null)
            max = try(distribution_cut.value.range.max, null)
          }
        }
      }
    }
  }

  dynamic "windows_based_sli" {
    for_each = can(each.value.serviceLevelIndicator.windowsBased) ? [each.value.serviceLevelIndicator.windowsBased] : []
    content {
      window_period          = windows_based_sli.value.windowPeriod
      good_bad_metric_filter = try(windows_based_sli.value.goodBadMetricFilter, null)

      dynamic "metric_mean_in_range" {
        for_each = can(windows_based_sli.value.metricMeanInRange) ? [windows_based_sli.value.metricMeanInRange] : []
        content {
          time_series = metric_mean_in_range.value.timeSeries
          range {
            min = try(metric_mean_in_range.value.range.min, null)
            max = try(metric_mean_in_range.value.range.max, null)
          }
        }
      }
    }
  }

  depends_on = [google_logging_metric.desk]
}
