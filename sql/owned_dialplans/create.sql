-- The dialplan that a record owns, such as a conference's; it has XML and no details.
-- in:  domain_uuid uuid, dialplan_uuid uuid, app_uuid uuid, the columns as text
insert into v_dialplans (
  dialplan_uuid,
  domain_uuid,
  app_uuid,
  dialplan_context,
  dialplan_name,
  dialplan_number,
  dialplan_continue,
  dialplan_xml,
  dialplan_order,
  dialplan_enabled,
  dialplan_description,
  insert_date
) values (
  %(dialplan_uuid)s,
  %(domain_uuid)s,
  %(app_uuid)s,
  %(dialplan_context)s,
  %(dialplan_name)s,
  %(dialplan_number)s,
  'false',
  %(dialplan_xml)s,
  %(dialplan_order)s,
  %(dialplan_enabled)s,
  %(dialplan_description)s,
  now()
)
