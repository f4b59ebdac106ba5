-- The XML of a dialplan, which is all that the switch sees of it.
-- in:  domain_uuid uuid, dialplan_uuid uuid, dialplan_xml text
update v_dialplans
   set dialplan_xml = %(dialplan_xml)s, update_date = now()
 where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
