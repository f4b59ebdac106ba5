-- Whether a destination names a dialplan.
-- in:  domain_uuid uuid, dialplan_uuid uuid
-- out: one row where it does
-- index: v_destinations (dialplan_uuid)
select 1 as found
  from v_destinations
 where dialplan_uuid = %(dialplan_uuid)s and domain_uuid = %(domain_uuid)s
 limit 1
