-- The dialplan that a record owns is written anew, without the details that somebody may have given it.
-- in:  domain_uuid uuid, dialplan_uuid uuid, app_uuid uuid, the columns as text
-- out: rows touched; none where the dialplan is gone
with details as (
  delete from v_dialplan_details
   where dialplan_uuid = %(dialplan_uuid)s and (domain_uuid = %(domain_uuid)s or domain_uuid is null)
)
update v_dialplans
   set app_uuid = %(app_uuid)s,
       dialplan_context = %(dialplan_context)s,
       dialplan_name = %(dialplan_name)s,
       dialplan_number = %(dialplan_number)s,
       dialplan_continue = 'false',
       dialplan_xml = %(dialplan_xml)s,
       dialplan_order = %(dialplan_order)s,
       dialplan_enabled = %(dialplan_enabled)s,
       dialplan_description = %(dialplan_description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
