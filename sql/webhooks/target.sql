-- What a test needs of a webhook.
-- in:  webhook_uuid uuid, domain_uuid uuid
-- out: url, headers, secrets (the newest first)
-- index: primary key
select url, headers,
       array_remove(array[secret, case when previous_until > clock_timestamp() then previous_secret end], null) as secrets
  from pbxapi.webhook
 where webhook_uuid = %(webhook_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
