-- Calls of a domain, for the list. A call without a start is none that FusionPBX wrote, and has no place here.
-- in:  domain_uuid uuid, start_date and end_date timestamptz or null (from, and before), direction text or null,
--      extension text or null, caller_id a like pattern or null
-- out: the columns of a list row; stamps as timestamptz, for the caller to show in the domain's time zone
-- index: v_xml_cdr (domain_uuid, start_stamp desc, xml_cdr_uuid desc), recommended by doctor; a bound that takes its
--        end in is spelled as a cursor's is, or PostgreSQL 18 begins at this one instead of at the cursor
select c.xml_cdr_uuid,
       coalesce(c.direction, '') as direction,
       coalesce(c.caller_id_name, '') as caller_id_name,
       coalesce(c.caller_id_number, '') as caller_id_number,
       coalesce(c.caller_destination, '') as caller_destination,
       coalesce(c.destination_number, '') as destination_number,
       c.start_stamp,
       c.answer_stamp,
       c.end_stamp,
       coalesce(c.duration, 0)::bigint as duration,
       coalesce(c.billsec, 0)::bigint as billsec,
       coalesce(c.hangup_cause, '') as hangup_cause,
       case when c.record_name <> '' then concat_ws('/', rtrim(c.record_path, '/'), c.record_name) else '' end
         as recording_file,
       coalesce(c.status, '') as status,  --? v_xml_cdr.status
       coalesce(c.missed_call::text, 'false') as missed_call,
       coalesce(c.leg::text, '') as leg,
       coalesce(c.accountcode, '') as accountcode
  from v_xml_cdr as c
 where c.domain_uuid = %(domain_uuid)s
   and c.start_stamp >= coalesce(%(start_date)s::timestamptz, '-infinity')
   and c.start_stamp <= coalesce(%(end_date)s::timestamptz - interval '1 microsecond', 'infinity')
   and (%(direction)s::text is null or c.direction = %(direction)s)
   and (%(extension)s::text is null
        or c.caller_id_number = %(extension)s
        or c.destination_number = %(extension)s
        or c.extension_uuid in (select e.extension_uuid from v_extensions as e
                                 where e.domain_uuid = %(domain_uuid)s
                                   and (e.extension = %(extension)s or e.number_alias = %(extension)s)))
   and (%(caller_id)s::text is null
        or c.caller_id_name ilike %(caller_id)s
        or c.caller_id_number ilike %(caller_id)s)
