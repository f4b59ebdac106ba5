-- An API key, still without its hash: issue.sql follows in the same transaction.
-- in:  api_key_uuid uuid, the columns, domains text[] (that of the new key; {*} for every domain), created_by text
insert into pbxapi.api_key
       (api_key_uuid, name, domains, scopes, networks, rate_limit, enabled, expires_at, created_by)
values (%(api_key_uuid)s, %(name)s, nullif(%(domains)s::text[], '{*}')::uuid[], %(scopes)s::text[],
        %(networks)s::text[], %(rate_limit)s, %(enabled)s, %(expires_at)s, %(created_by)s)
