# The alert policies of alerts.json.

resource "google_monitoring_alert_policy" "desk" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = each.key
  combiner              = each.value.combiner
  enabled               = try(each.value.enabled, true)
  severity              = try(each.value.severity, null)
  user_labels           = merge(var.labels, try(each.value.userLabels, {}))
  notification_channels = var.notification_channels

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.displayName

      dynamic "condition_threshold" {
        for_each = can(conditions.value.conditionThreshold) ? [conditions.value.conditionThreshold] : []
        content {
          filter                  = condition_threshold.value.filter
          denominator_filter      = try(condition_threshold.value.denominatorFilter, null)
          comparison              = condition_threshold.value.comparison
          threshold_value         = try(condition_threshold.value.thresholdValue, 0)
          duration                = condition_threshold.value.duration
          evaluation_missing_data = try(condition_threshold.value.evaluationMissingData, null)

          dynamic "aggregations" {
            for_each = try(condition_threshold.value.aggregations, [])
            content {
              alignment_period     = try(aggregations.value.alignmentPeriod, null)
              per_series_aligner   = try(aggregations.value.perSeriesAligner, null)
              cross_series_reducer = try(aggregations.value.crossSeriesReducer, null)
              group_by_fields      = try(aggregations.value.groupByFields, null)
            }
          }

          dynamic "denominator_aggregations" {
            for_each = try(condition_threshold.value.denominatorAggregations, [])
            content {
              alignment_period     = try(denominator_aggregations.value.alignmentPeriod, null)
              per_series_aligner   = try(denominator_aggregations.value.perSeriesAligner, null)
              cross_series_reducer = try(denominator_aggregations.value.crossSeriesReducer, null)
              group_by_fields      = try(denominator_aggregations.value.groupByFields, null)
            }
          }

          dynamic "trigger" {
            for_each = can(condition_threshold.value.trigger) ? [condition_threshold.value.trigger] : []
            content {
              count   = try(trigger.value.count, null)
              percent = try(trigger.value.percent, null)
            }
          }
        }
      }

      dynamic "condition_absent" {
        for_each = can(conditions.value.conditionAbsent) ? [conditions.value.conditionAbsent] : []
        content {
          filter   = condition_absent.value.filter
          duration = condition_absent.value.duration

          dynamic "aggregations" {
            for_each = try(condition_absent.value.aggregations, [])
            content {
              alignment_period     = try(aggregations.value.alignmentPeriod, null)
              per_series_aligner   = try(aggregations.value.perSeriesAligner, null)
              cross_series_reducer = try(aggregations.value.crossSeriesReducer, null)
              group_by_fields      = try(aggregations.value.groupByFields, null)
            }
          }

          dynamic "trigger" {
            for_each = can(condition_absent.value.trigger) ? [condition_absent.value.trigger] : []
            content {
              count   = try(trigger.value.count, null)
              percent = try(trigger.value.percent, null)
            }
          }
        }
      }

      dynamic "condition_matched_log" {
        for_each = can(conditions.value.conditionMatchedLog) ? [conditions.value.conditionMatchedLog] : []
        content {
          filter           = condition_matched_log.value.filter
          label_extractors = try(condition_matched_log.value.labelExtractors, null)
        }
      }

      dynamic "condition_prometheus_query_language" {
        for_each = can(conditions.value.conditionPrometheusQueryLanguage) ? [conditions.value.conditionPrometheusQueryLanguage] : []
        content {
          query                     = condition_prometheus_query_language.value.query
          duration                  = try(condition_prometheus_query_language.value.duration, null)
          evaluation_interval       = try(condition_prometheus_query_language.value.evaluationInterval, null)
          labels                    = try(condition_prometheus_query_language.value.labels, null)
          disable_metric_validation = try(condition_prometheus_query_language.value.disableMetricValidation, null)
        }
      }
    }
  }

  dynamic "alert_strategy" {
    for_each = can(each.value.alertStrategy) ? [each.value.alertStrategy] : []
    content {
      auto_close           = try(alert_strategy.value.autoClose, null)
      notification_prompts = try(alert_strategy.value.notificationPrompts, null)

      dynamic "notification_rate_limit" {
        for_each = can(alert_strategy.value.notificationRateLimit) ? [alert_strategy.value.notificationRateLimit] : []
        content {
          period = notification_rate_limit.value.period
        }
      }
    }
  }

  dynamic "documentation" {
    for_each = can(each.value.documentation) ? [each.value.documentation] : []
    content {
      content   = try(documentation.value.content, null)
      mime_type = try(documentation.value.mimeType, null)
      subject   = try(documentation.value.subject, null)

      dynamic "links" {
        for_each = try(documentation.value.links, [])
        content {
          display_name = links.value.displayName
          url          = links.value.url
        }
      }
    }
  }

  depends_on = [google_logging_metric.desk, google_monitoring_slo.desk]
}
