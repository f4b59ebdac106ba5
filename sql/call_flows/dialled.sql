-- Whether a dialplan of the domain, or of all domains, answers to a code already, such as FusionPBX's own *98.
-- in:  domain_uuid uuid, domain_name text, number text
-- out: at most one row
-- index: v_dialplans (domain_uuid)
select 1 as found
  from v_dialplans as d
 where (d.domain_uuid = %(domain_uuid)s or d.domain_uuid is null)
   and d.dialplan_number = %(number)s
   and d.dialplan_context in (%(domain_name)s, 'global', '${domain_name}')
   and d.dialplan_enabled::text = 'true'
 limit 1
