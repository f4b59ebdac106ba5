-- Who else has a number that is about to be written, on the whole system: the switch looks a number from outside up
-- without a look at the domain, nor at the type.
-- in:  domain_uuid uuid, own uuid or null (the destination that may keep its number), local text ("true" where the
--      new one is), whole text[] (its number with the prefix, without and with the area code), number text
-- out: at most one row
select d.destination_uuid
  from v_destinations as d,
       lateral (select ltrim(coalesce(d.destination_prefix, ''), '+') as prefix,
                       ltrim(coalesce(d.destination_number, ''), '+') as number,
                       concat(
                         d.destination_area_code,  --? v_destinations.destination_area_code
                         '') as area) as n
 where d.destination_type in ('inbound', 'local')
   and (%(own)s::uuid is null or d.destination_uuid <> %(own)s)
   and (d.destination_type = 'inbound' or %(local)s::text = 'false')
   and ((d.destination_type = 'inbound' and %(local)s::text = 'false') or d.domain_uuid <> %(domain_uuid)s)
   and n.number <> ''
   and (array[n.number, n.prefix || n.number, n.prefix || n.area || n.number] && %(whole)s::text[]
        or %(number)s::text in (n.prefix || n.number, n.prefix || n.area || n.number))
 limit 1
