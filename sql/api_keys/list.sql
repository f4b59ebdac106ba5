-- API keys within the domains of the caller's key, for the list.
-- in:  domains uuid[], null for every key
-- out: the columns of a key, without its hashes; domains {*} for every domain
-- index: none; keys are few
select k.api_key_uuid, k.name, coalesce(k.hint, '') as hint,
       coalesce(k.domains::text[], '{*}') as domains, k.scopes, k.networks,
       coalesce(k.rate_limit, '') as rate_limit,
       k.enabled::text as enabled,
       coalesce(to_char(k.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as expires_at,
       coalesce(to_char(k.previous_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as previous_until,
       coalesce(to_char(k.last_used_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') as last_used_at,
       to_char(k.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as created_at,
       coalesce(k.created_by, '') as created_by,
       coalesce(k.last_used_at, to_timestamp(0)) as used, k.created_at as created
  from pbxapi.api_key as k
 where %(domains)s::uuid[] is null or k.domains <@ %(domains)s::uuid[]
