-- The file of a recording.
-- in:  domain_uuid uuid, recording_uuid uuid, recording_base64 text
update v_recordings
   set recording_base64 = %(recording_base64)s
 where domain_uuid = %(domain_uuid)s and recording_uuid = %(recording_uuid)s
