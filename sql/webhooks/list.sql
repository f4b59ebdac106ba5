-- Webhooks of a domain, and of all domains where the caller's key is for every one, for the list.
-- in:  domain_uuid uuid, domains uuid[], null for a key of every domain
-- out: the columns of a list's row; url, for the filter
-- index: webhook (domain_uuid)
select w.webhook_uuid, w.url, w.host, w.event_types, coalesce(w.description, '') as description,
       w.enabled::text as enabled, (w.domain_uuid is null)::text as all_domains,
       case when not w.enabled then 'disabled'
            when w.paused_at is not null then 'paused'
            when w.failing_since is not null then 'failing'
            else 'active' end as state,
       coalesce(to_char(w.failing_since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as failing_since,
       coalesce(to_char(w.last_success_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as last_success_at,
       coalesce(w.last_error, '') as last_error, w.created_at as made
  from pbxapi.webhook as w
 where w.domain_uuid = %(domain_uuid)s or (w.domain_uuid is null and %(domains)s::uuid[] is null)
