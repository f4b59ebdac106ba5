-- Takes hold of the dialplan that sets the domain's variables, before it is built anew.
-- in:  domain_uuid uuid
-- out: dialplan_uuid, name, context, continue; no row where the domain has none
-- index: v_dialplans (domain_uuid)
update v_dialplans
   set update_date = now()
 where domain_uuid = %(domain_uuid)s and app_uuid = '9f356fe7-8cf8-4c14-8fe2-6daf89304458'
returning dialplan_uuid,
          coalesce(dialplan_name, '') as name,
          coalesce(dialplan_context, '') as context,
          coalesce(dialplan_continue::text, 'false') as continue
