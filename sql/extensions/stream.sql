-- Whether a stream of the domain, or one that all share, plays what is at a place.
-- in:  domain_uuid uuid, stream_location text
-- out: a row where there is one
-- index: v_streams (domain_uuid)
select 1 as found from v_streams
 where (domain_uuid = %(domain_uuid)s or domain_uuid is null) and stream_location = %(stream_location)s
