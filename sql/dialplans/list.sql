-- Dialplans of a domain, for the list.
-- in:  domain_uuid uuid, apps uuid[] or null (the applications that the resource shows)
-- out: the columns of a list row, flags as "true"/"false"; place text, the order and then the name
-- index: v_dialplans (domain_uuid)
select d.dialplan_uuid,
       case when d.app_uuid = '4b821450-926b-175a-af93-a03c441f8c30' then '4b821450-926b-175a-af93-a03c441818b1'
            else coalesce(d.app_uuid::text, '') end as app_uuid,
       coalesce(d.hostname, '') as hostname,
       coalesce(d.dialplan_context, '') as dialplan_context,
       coalesce(d.dialplan_name, '') as dialplan_name,
       coalesce(d.dialplan_number, '') as dialplan_number,
       coalesce(d.dialplan_destination::text, 'false') as dialplan_destination,
       coalesce(d.dialplan_continue::text, 'false') as dialplan_continue,
       coalesce(d.dialplan_order::text, '') as dialplan_order,
       coalesce(d.dialplan_enabled::text, 'false') as dialplan_enabled,
       coalesce(d.dialplan_description, '') as dialplan_description,
       coalesce(d.dialplan_order::text, '') || ' ' || coalesce(d.dialplan_name, '') as place
  from v_dialplans as d
 where d.domain_uuid = %(domain_uuid)s
   and (%(apps)s::uuid[] is null or d.app_uuid = any(%(apps)s::uuid[]))
