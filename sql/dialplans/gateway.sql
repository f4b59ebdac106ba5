-- The name of a gateway that the domain may use: its own, or one of all domains.
-- in:  domain_uuid uuid, gateway_uuid uuid
-- out: name; no row where the domain may use no such gateway
-- index: primary key
select coalesce(gateway, '') as name
  from v_gateways
 where gateway_uuid = %(gateway_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
