-- All columns of a recording but its content; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, recording_uuid uuid, the columns as text
update v_recordings
   set recording_filename = %(recording_filename)s,
       recording_name = %(recording_name)s,
       recording_voice = %(recording_voice)s,  --? v_recordings.recording_voice
       recording_message = %(recording_message)s,  --? v_recordings.recording_message
       recording_description = %(recording_description)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and recording_uuid = %(recording_uuid)s
