-- Destinations of a domain, for the list.
-- in:  domain_uuid uuid
-- out: the columns of a list row, the flag as "true"/"false", the order as a number
-- index: v_destinations (domain_uuid)
select d.destination_uuid,
       coalesce(d.destination_type, '') as destination_type,
       coalesce(d.destination_number, '') as destination_number,
       coalesce(d.destination_prefix, '') as destination_prefix,
       coalesce(d.destination_context, '') as destination_context,
       coalesce(d.destination_enabled::text, 'false') as destination_enabled,
       coalesce(d.destination_description, '') as destination_description,
       coalesce(d.destination_order, 0)::bigint as destination_order,
       coalesce(d.dialplan_uuid::text, '') as dialplan_uuid
  from v_destinations as d
 where d.domain_uuid = %(domain_uuid)s
