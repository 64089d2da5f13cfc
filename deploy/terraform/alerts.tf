# The alert policies of alerts.json and slos.json. A field that is missing or misspelt there is an error, but for those that not
# every policy has: test/system/deploy/terraform-monitoring.test.ts sees that they arrive.

resource "google_monitoring_alert_policy" "keydesk" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = each.value.displayName
  combiner              = each.value.combiner
  enabled               = each.value.enabled
  severity              = each.value.severity
  user_labels           = merge(var.labels, each.value.userLabels)
  notification_channels = var.notification_channels

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.displayName

      dynamic "condition_threshold" {
        for_each = [for kind, condition in conditions.value : condition if kind == "conditionThreshold"]
        content {
          filter             = condition_threshold.value.filter
          denominator_filter = lookup(condition_threshold.value, "denominatorFilter", null)
          comparison         = condition_threshold.value.comparison
          threshold_value    = condition_threshold.value.thresholdValue
          duration           = condition_threshold.value.duration

          # A burn rate has none.
          dynamic "aggregations" {
            for_each = lookup(condition_threshold.value, "aggregations", [])
            content {
              alignment_period     = aggregations.value.alignmentPeriod
              per_series_aligner   = aggregations.value.perSeriesAligner
              cross_series_reducer = aggregations.value.crossSeriesReducer
              group_by_fields      = lookup(aggregations.value, "groupByFields", null)
            }
          }

          dynamic "denominator_aggregations" {
            for_each = lookup(condition_threshold.value, "denominatorAggregations", [])
            content {
              alignment_period     = denominator_aggregations.value.alignmentPeriod
              per_series_aligner   = denominator_aggregations.value.perSeriesAligner
              cross_series_reducer = denominator_aggregations.value.crossSeriesReducer
              group_by_fields      = lookup(denominator_aggregations.value, "groupByFields", null)
            }
          }

          trigger {
            count = condition_threshold.value.trigger.count
          }
        }
      }

      dynamic "condition_absent" {
        for_each = [for kind, condition in conditions.value : condition if kind == "conditionAbsent"]
        content {
          filter   = condition_absent.value.filter
          duration = condition_absent.value.duration

          dynamic "aggregations" {
            for_each = condition_absent.value.aggregations
            content {
              alignment_period     = aggregations.value.alignmentPeriod
              per_series_aligner   = aggregations.value.perSeriesAligner
              cross_series_reducer = aggregations.value.crossSeriesReducer
            }
          }

          trigger {
            count = condition_absent.value.trigger.count
          }
        }
      }
    }
  }

  alert_strategy {
    auto_close = each.value.alertStrategy.autoClose

    # It is said of channels by their names, which the files cannot know.
    dynamic "notification_channel_strategy" {
      for_each = length(var.notification_channels) > 0 ? lookup(each.value.alertStrategy, "notificationChannelStrategy", []) : []
      content {
        notification_channel_names = var.notification_channels
        renotify_interval          = notification_channel_strategy.value.renotifyInterval
      }
    }
  }

  documentation {
    content   = replace(replace(replace(each.value.documentation.content, "PLAYBOOKS_URL", var.playbooks_url), "ORGANIZATION", local.policy.organization.slug), "REGION", var.region)
    mime_type = each.value.documentation.mimeType
    subject   = each.value.documentation.subject

    dynamic "links" {
      for_each = each.value.documentation.links
      content {
        display_name = links.value.displayName
        url          = replace(links.value.url, "PLAYBOOKS_URL", var.playbooks_url)
      }
    }
  }

  depends_on = [google_logging_metric.keydesk, google_monitoring_slo.keydesk]
}
