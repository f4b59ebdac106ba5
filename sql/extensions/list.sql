-- Extensions of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, flags as "true"/"false"
-- index: v_extensions (domain_uuid), with the natural order of extension as doctor recommends
select e.extension_uuid,
       coalesce(e.extension, '') as extension,
       coalesce(e.number_alias, '') as number_alias,
       coalesce(e.effective_caller_id_name, '') as effective_caller_id_name,
       coalesce(e.effective_caller_id_number, '') as effective_caller_id_number,
       coalesce(e.outbound_caller_id_name, '') as outbound_caller_id_name,
       coalesce(e.outbound_caller_id_number, '') as outbound_caller_id_number,
       coalesce(e.user_context, '') as user_context,
       coalesce(e.call_group, '') as call_group,
       coalesce(e.enabled::text, 'false') as enabled,
       coalesce(e.description, '') as description
  from v_extensions as e
 where e.domain_uuid = %(domain_uuid)s
