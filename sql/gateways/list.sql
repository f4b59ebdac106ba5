-- Gateways of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false" (a gateway without a word on it registers)
-- index: v_gateways (domain_uuid)
select g.gateway_uuid,
       coalesce(g.gateway, '') as gateway,
       coalesce(g.username, '') as username,
       coalesce(g.proxy, '') as proxy,
       coalesce(g.register::text, 'true') as register,
       coalesce(g.profile, '') as profile,
       coalesce(g.enabled::text, 'false') as enabled,
       coalesce(g.description, '') as description
  from v_gateways as g
 where g.domain_uuid = %(domain_uuid)s
