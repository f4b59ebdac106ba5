-- One dialplan with its details.
-- in:  domain_uuid uuid, dialplan_uuid uuid, apps uuid[] or null (the applications that the resource shows)
-- out: the columns of a dialplan as text, flags as "true"/"false"; app_uuid with the time conditions' real one in
--      place of the contract's; details json, a list in the editor's order
-- index: primary key; v_dialplan_details (dialplan_uuid)
select d.dialplan_uuid,
       case when d.app_uuid = '4b821450-926b-175a-af93-a03c441f8c30' then '4b821450-926b-175a-af93-a03c441818b1'
            else coalesce(d.app_uuid::text, '') end as app_uuid,
       coalesce(d.hostname, '') as hostname,
       coalesce(d.dialplan_context, '') as dialplan_context,
       coalesce(d.dialplan_name, '') as dialplan_name,
       coalesce(d.dialplan_number, '') as dialplan_number,
       coalesce(d.dialplan_destination::text, 'false') as dialplan_destination,
       coalesce(d.dialplan_continue::text, 'false') as dialplan_continue,
       coalesce(d.dialplan_xml, '') as dialplan_xml,
       coalesce(d.dialplan_order::text, '') as dialplan_order,
       coalesce(d.dialplan_enabled::text, 'false') as dialplan_enabled,
       coalesce(d.dialplan_description, '') as dialplan_description,
       coalesce(
         (select json_agg(
                   json_build_object(
                     'dialplan_detail_tag', coalesce(t.dialplan_detail_tag, ''),
                     'dialplan_detail_type', coalesce(t.dialplan_detail_type, ''),
                     'dialplan_detail_data', coalesce(t.dialplan_detail_data, ''),
                     'dialplan_detail_break', coalesce(t.dialplan_detail_break, ''),
                     'dialplan_detail_inline', coalesce(t.dialplan_detail_inline, ''),
                     'dialplan_detail_group', coalesce(t.dialplan_detail_group, 0)::bigint::text,
                     'dialplan_detail_order', coalesce(t.dialplan_detail_order, 0)::bigint::text,
                     'dialplan_detail_enabled', coalesce(t.dialplan_detail_enabled::text, 'true'))
                   order by coalesce(t.dialplan_detail_group, 0), t.dialplan_detail_order,
                            array_position(array['condition', 'regex', 'action'], t.dialplan_detail_tag),
                            t.dialplan_detail_uuid)
            from v_dialplan_details as t
           where t.dialplan_uuid = d.dialplan_uuid
             and (t.domain_uuid = %(domain_uuid)s or t.domain_uuid is null)),
         '[]') as details
  from v_dialplans as d
 where d.domain_uuid = %(domain_uuid)s
   and d.dialplan_uuid = %(dialplan_uuid)s
   and (%(apps)s::uuid[] is null or d.app_uuid = any(%(apps)s::uuid[]))
