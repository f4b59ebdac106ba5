-- The details of a dialplan, to build its XML of.
-- in:  domain_uuid uuid, dialplan_uuid uuid
-- out: the columns of v_dialplan_details that the XML is made of
-- index: v_dialplan_details (dialplan_uuid)
select dialplan_detail_tag, dialplan_detail_type, dialplan_detail_data, dialplan_detail_break,
       dialplan_detail_inline, dialplan_detail_group, dialplan_detail_order,
       dialplan_detail_enabled::text as dialplan_detail_enabled,
       dialplan_detail_uuid
  from v_dialplan_details
 where domain_uuid = %(domain_uuid)s and dialplan_uuid = %(dialplan_uuid)s
 order by dialplan_detail_group, dialplan_detail_order
