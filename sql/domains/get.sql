-- One of the domains that the key may see, with how much it holds.
-- in:  domain_uuid uuid (the one asked for), domains uuid[] or null (all)
-- out: the columns of a domain, counts as an object
-- index: primary key, the (domain_uuid) indexes of each table
select d.domain_uuid,
       coalesce(d.domain_name, '') as domain_name,
       coalesce(d.domain_enabled::text, 'false') as domain_enabled,
       coalesce(d.domain_description, '') as domain_description,
       coalesce(d.domain_parent_uuid::text, '') as domain_parent_uuid,
       json_build_object(
         'extensions', (select count(*) from v_extensions where domain_uuid = %(domain_uuid)s),
         'users', (select count(*) from v_users where domain_uuid = %(domain_uuid)s),
         'gateways', (select count(*) from v_gateways where domain_uuid = %(domain_uuid)s),
         'devices', (select count(*) from v_devices where domain_uuid = %(domain_uuid)s),
         'voicemails', (select count(*) from v_voicemails where domain_uuid = %(domain_uuid)s),
         'destinations', (select count(*) from v_destinations where domain_uuid = %(domain_uuid)s)) as counts
  from v_domains as d
 where d.domain_uuid = %(domain_uuid)s
   and (%(domains)s::uuid[] is null or d.domain_uuid = any(%(domains)s))
