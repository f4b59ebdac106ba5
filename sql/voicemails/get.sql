-- One box with its options and its message counts.
-- in:  domain_uuid uuid, voicemail_uuid uuid
-- out: every column that can be changed, flags as "true"/"false" (one that is not set as what FusionPBX's scripts
--      make of it); options and copies as lists
-- index: primary key
select v.voicemail_uuid,
       coalesce(v.voicemail_id, '') as voicemail_id,
       coalesce(v.voicemail_password, '') as voicemail_password,
       coalesce(v.greeting_id::text, '') as greeting_id,
       coalesce(v.voicemail_alternate_greet_id::text, '') as voicemail_alternate_greet_id,
       coalesce(v.voicemail_mail_to, '') as voicemail_mail_to,
       coalesce(v.voicemail_sms_to, '') as voicemail_sms_to,  --? v_voicemails.voicemail_sms_to
       coalesce(v.voicemail_attach_file::text, 'true') as voicemail_attach_file,
       coalesce(v.voicemail_file, '') as voicemail_file,
       coalesce(v.voicemail_tutorial::text, 'false') as voicemail_tutorial,
       coalesce(v.voicemail_recording_instructions::text, 'true') as voicemail_recording_instructions,  --? v_voicemails.voicemail_recording_instructions
       coalesce(v.voicemail_recording_options::text, 'true') as voicemail_recording_options,  --? v_voicemails.voicemail_recording_options
       coalesce(v.voicemail_transcription_enabled::text, 'false') as voicemail_transcription_enabled,
       coalesce(v.voicemail_transcription_prompt_enabled::text, 'false') as voicemail_transcription_prompt_enabled,  --? v_voicemails.voicemail_transcription_prompt_enabled
       coalesce(v.voicemail_transcription_prompt, '') as voicemail_transcription_prompt,  --? v_voicemails.voicemail_transcription_prompt
       coalesce(v.voicemail_local_after_email::text, 'true') as voicemail_local_after_email,
       coalesce(v.voicemail_local_after_forward::text, 'true') as voicemail_local_after_forward,  --? v_voicemails.voicemail_local_after_forward
       coalesce(v.alternate_voicemail_destination, '') as alternate_voicemail_destination,  --? v_voicemails.alternate_voicemail_destination
       coalesce(v.alternate_voicemail_enabled::text, 'false') as alternate_voicemail_enabled,  --? v_voicemails.alternate_voicemail_enabled
       coalesce(v.voicemail_enabled::text, 'false') as voicemail_enabled,
       coalesce(v.voicemail_description, '') as voicemail_description,
       (select count(*) from v_voicemail_messages as m
         where m.domain_uuid = %(domain_uuid)s and m.voicemail_uuid = v.voicemail_uuid
           and coalesce(m.message_status, '') = '') as new_message_count,
       (select count(*) from v_voicemail_messages as m
         where m.domain_uuid = %(domain_uuid)s and m.voicemail_uuid = v.voicemail_uuid
           and coalesce(m.message_status, '') not in ('', 'deleted')) as saved_message_count,
       (select coalesce(json_agg(json_build_object(
                 'voicemail_option_uuid', o.voicemail_option_uuid,
                 'voicemail_option_digits', coalesce(o.voicemail_option_digits, ''),
                 'voicemail_option_action', coalesce(o.voicemail_option_action, ''),
                 'voicemail_option_param', coalesce(o.voicemail_option_param, ''),
                 'voicemail_option_order', coalesce(o.voicemail_option_order::text, ''),
                 'voicemail_option_description', coalesce(o.voicemail_option_description, ''))
                 order by o.voicemail_option_digits, o.voicemail_option_order, o.voicemail_option_uuid), '[]')
          from v_voicemail_options as o
         where o.domain_uuid = %(domain_uuid)s and o.voicemail_uuid = v.voicemail_uuid) as voicemail_options,
       (select coalesce(json_agg(d.voicemail_uuid_copy order by d.voicemail_uuid_copy), '[]')
          from v_voicemail_destinations as d
         where d.domain_uuid = %(domain_uuid)s and d.voicemail_uuid = v.voicemail_uuid
           and d.voicemail_uuid_copy is not null) as voicemail_copies
  from v_voicemails as v
 where v.domain_uuid = %(domain_uuid)s and v.voicemail_uuid = %(voicemail_uuid)s
