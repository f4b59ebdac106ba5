-- One webhook of a domain, or of all domains where the caller's key is for every one; without its secret.
-- in:  webhook_uuid uuid, domain_uuid uuid, domains uuid[], null for a key of every domain
-- out: the columns of a webhook
-- index: primary key
select w.webhook_uuid, w.url, w.host, w.event_types, coalesce(w.description, '') as description,
       w.enabled::text as enabled, w.headers, (w.domain_uuid is null)::text as all_domains,
       case when w.public_key is null then 'hmac' else 'ed25519' end as signature,
       coalesce(w.public_key, '') as public_key,
       case when w.previous_until > clock_timestamp()
            then to_char(w.previous_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            else '' end as previous_until,
       case when not w.enabled then 'disabled'
            when w.paused_at is not null then 'paused'
            when w.failing_since is not null then 'failing'
            else 'active' end as state,
       coalesce(to_char(w.failing_since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as failing_since,
       coalesce(to_char(w.paused_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as paused_at,
       coalesce(to_char(w.last_success_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as last_success_at,
       coalesce(w.last_error, '') as last_error,
       to_char(w.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as created_at
  from pbxapi.webhook as w
 where w.webhook_uuid = %(webhook_uuid)s
   and (w.domain_uuid = %(domain_uuid)s or (w.domain_uuid is null and %(domains)s::uuid[] is null))
