-- A recording as its file is made of it.
-- in:  domain_uuid uuid, recording_uuid uuid
-- out: recording_filename, recording_base64 text, '' where the file is on the switch alone
-- index: primary key
select coalesce(recording_filename, '') as recording_filename, coalesce(recording_base64, '') as recording_base64
  from v_recordings
 where domain_uuid = %(domain_uuid)s and recording_uuid = %(recording_uuid)s
