-- What can be changed of an API key; the caller has read it within its domains, and locked it.
-- in:  api_key_uuid uuid, the columns, domains text[] (the new ones; {*} for every domain)
-- index: primary key
update pbxapi.api_key
   set name = %(name)s,
       domains = nullif(%(domains)s::text[], '{*}')::uuid[],
       scopes = %(scopes)s::text[],
       networks = %(networks)s::text[],
       rate_limit = %(rate_limit)s,
       enabled = %(enabled)s,
       expires_at = %(expires_at)s
 where api_key_uuid = %(api_key_uuid)s
