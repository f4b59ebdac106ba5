-- Extensions of a domain with every field that can be written, for the export; no passwords.
-- in:  domain_uuid uuid
-- out: the columns of an extension, flags as "true"/"false"; of its voicemail box and its first user what create takes
-- index: v_extensions (domain_uuid), with the natural order of extension as doctor recommends
select e.extension_uuid,
       coalesce(e.extension, '') as extension,
       coalesce(e.number_alias, '') as number_alias,
       coalesce(e.accountcode, '') as accountcode,
       coalesce(e.effective_caller_id_name, '') as effective_caller_id_name,
       coalesce(e.effective_caller_id_number, '') as effective_caller_id_number,
       coalesce(e.outbound_caller_id_name, '') as outbound_caller_id_name,
       coalesce(e.outbound_caller_id_number, '') as outbound_caller_id_number,
       coalesce(e.emergency_caller_id_name, '') as emergency_caller_id_name,
       coalesce(e.emergency_caller_id_number, '') as emergency_caller_id_number,
       coalesce(e.directory_first_name, '') as directory_first_name,
       coalesce(e.directory_last_name, '') as directory_last_name,
       coalesce(e.directory_visible::text, 'false') as directory_visible,
       coalesce(e.directory_exten_visible::text, 'false') as directory_exten_visible,
       coalesce(e.max_registrations, '') as max_registrations,
       coalesce(e.limit_max, '') as limit_max,
       coalesce(e.limit_destination, '') as limit_destination,
       coalesce(e.missed_call_app, '') as missed_call_app,
       coalesce(e.missed_call_data, '') as missed_call_data,
       coalesce(e.user_context, '') as user_context,
       coalesce(e.toll_allow, '') as toll_allow,
       coalesce(e.call_timeout::text, '') as call_timeout,
       coalesce(e.call_group, '') as call_group,
       coalesce(e.call_screen_enabled::text, 'false') as call_screen_enabled,
       coalesce(e.user_record, '') as user_record,
       coalesce(e.hold_music, '') as hold_music,
       coalesce(e.auth_acl, '') as auth_acl,
       coalesce(e.cidr, '') as cidr,
       coalesce(e.sip_force_contact, '') as sip_force_contact,
       coalesce(e.nibble_account, '') as nibble_account,
       coalesce(e.sip_force_expires::text, '') as sip_force_expires,
       coalesce(e.mwi_account, '') as mwi_account,
       coalesce(e.sip_bypass_media, '') as sip_bypass_media,
       coalesce(e.dial_string, '') as dial_string,
       coalesce(e.do_not_disturb::text, 'false') as do_not_disturb,
       coalesce(e.forward_all_destination, '') as forward_all_destination,
       coalesce(e.forward_all_enabled::text, 'false') as forward_all_enabled,
       coalesce(e.forward_busy_destination, '') as forward_busy_destination,
       coalesce(e.forward_busy_enabled::text, 'false') as forward_busy_enabled,
       coalesce(e.forward_no_answer_destination, '') as forward_no_answer_destination,
       coalesce(e.forward_no_answer_enabled::text, 'false') as forward_no_answer_enabled,
       coalesce(e.forward_user_not_registered_destination, '') as forward_user_not_registered_destination,
       coalesce(e.forward_user_not_registered_enabled::text, 'false') as forward_user_not_registered_enabled,
       coalesce((select f.follow_me_enabled::text from v_follow_me as f
                  where f.domain_uuid = %(domain_uuid)s and f.follow_me_uuid = e.follow_me_uuid),
                e.follow_me_enabled::text, 'false') as follow_me_enabled,
       coalesce(e.extension_language, '') as extension_language,  --? v_extensions.extension_language
       coalesce(e.extension_dialect, '') as extension_dialect,  --? v_extensions.extension_dialect
       coalesce(e.extension_voice, '') as extension_voice,  --? v_extensions.extension_voice
       coalesce(e.extension_type, '') as extension_type,  --? v_extensions.extension_type
       coalesce(e.enabled::text, 'false') as enabled,
       coalesce(e.absolute_codec_string, '') as absolute_codec_string,  --? v_extensions.absolute_codec_string
       coalesce(e.force_ping::text, 'false') as force_ping,  --? v_extensions.force_ping
       coalesce(e.description, '') as description,
       coalesce(v.voicemail_enabled, 'false') as voicemail_enabled,
       coalesce(v.voicemail_mail_to, '') as voicemail_mail_to,
       coalesce((select x.user_uuid::text from v_extension_users as x
                  where x.domain_uuid = %(domain_uuid)s and x.extension_uuid = e.extension_uuid
                  order by x.user_uuid
                  limit 1), '') as user_uuid
  from v_extensions as e
  left join lateral (
    select b.voicemail_enabled::text as voicemail_enabled, b.voicemail_mail_to
      from v_voicemails as b
     where b.domain_uuid = %(domain_uuid)s
       and b.voicemail_id = case when e.number_alias ~ '^[0-9]+$' then e.number_alias else e.extension end
     order by b.voicemail_uuid
     limit 1
  ) as v on true
 where e.domain_uuid = %(domain_uuid)s
