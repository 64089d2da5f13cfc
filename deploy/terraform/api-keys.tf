# The key by which a custom token is exchanged for a Firebase ID token. It identifies the project and gives nobody access. The key that Firebase
# made may be restricted to sites or apps; this one is restricted to the one API that Keydesk calls with it.

# Google keeps a deleted key, and its ID, for 30 days. This resource gets a new random id with each creation, and the key's ID ends in it: so a key
# can be created again after a destroy, or after its database left the policy and came back.
resource "terraform_data" "api_key" {
  for_each = var.create_api_keys ? local.data_projects : toset([])
}

resource "google_apikeys_key" "firebase" {
  for_each = var.create_api_keys ? local.data_projects : toset([])

  project      = each.key
  name         = "${var.name_prefix}-firebase-${substr(sha256(terraform_data.api_key[each.key].id), 0, 8)}"
  display_name = "Keydesk: exchanges custom tokens"

  restrictions {
    api_targets {
      service = "identitytoolkit.googleapis.com"
    }
  }

  depends_on = [time_sleep.apis]
}

locals {
  api_keys = { for project, key in google_apikeys_key.firebase : project => nonsensitive(key.key_string) }

  # Data projects for which the policy has another key, once functions are deployed with it.
  other_api_keys = distinct([
    for opens in values(local.firestore) : opens.project
    if var.webhook_tokens_version != null && try(opens.apiKey != local.api_keys[opens.project], false)
  ])
}
