-- One IVR menu with its lists.
-- in:  domain_uuid uuid, ivr_menu_uuid uuid
-- out: every column as text, flags as "true"/"false"; the lists as json
-- index: primary key
select m.ivr_menu_uuid,
       coalesce(m.ivr_menu_name, '') as ivr_menu_name,
       coalesce(m.ivr_menu_extension, '') as ivr_menu_extension,
       coalesce(m.ivr_menu_parent_uuid::text, '') as ivr_menu_parent_uuid,
       coalesce(m.ivr_menu_language, '') as ivr_menu_language,
       coalesce(m.ivr_menu_dialect, '') as ivr_menu_dialect,
       coalesce(m.ivr_menu_voice, '') as ivr_menu_voice,
       coalesce(m.ivr_menu_greet_long, '') as ivr_menu_greet_long,
       coalesce(m.ivr_menu_greet_short, '') as ivr_menu_greet_short,
       coalesce(m.ivr_menu_invalid_sound, '') as ivr_menu_invalid_sound,
       coalesce(m.ivr_menu_exit_sound, '') as ivr_menu_exit_sound,
       coalesce(m.ivr_menu_pin_number, '') as ivr_menu_pin_number,
       coalesce(m.ivr_menu_confirm_macro, '') as ivr_menu_confirm_macro,
       coalesce(m.ivr_menu_confirm_key, '') as ivr_menu_confirm_key,
       coalesce(m.ivr_menu_tts_engine, '') as ivr_menu_tts_engine,
       coalesce(m.ivr_menu_tts_voice, '') as ivr_menu_tts_voice,
       coalesce(m.ivr_menu_confirm_attempts::text, '') as ivr_menu_confirm_attempts,
       coalesce(m.ivr_menu_timeout::text, '') as ivr_menu_timeout,
       coalesce(m.ivr_menu_exit_app, '') as ivr_menu_exit_app,
       coalesce(m.ivr_menu_exit_data, '') as ivr_menu_exit_data,
       coalesce(m.ivr_menu_inter_digit_timeout::text, '') as ivr_menu_inter_digit_timeout,
       coalesce(m.ivr_menu_max_failures::text, '') as ivr_menu_max_failures,
       coalesce(m.ivr_menu_max_timeouts::text, '') as ivr_menu_max_timeouts,
       coalesce(m.ivr_menu_digit_len::text, '') as ivr_menu_digit_len,
       coalesce(m.ivr_menu_direct_dial::text, 'false') as ivr_menu_direct_dial,
       coalesce(m.ivr_menu_ringback, '') as ivr_menu_ringback,
       coalesce(m.ivr_menu_cid_prefix, '') as ivr_menu_cid_prefix,
       coalesce(m.ivr_menu_context, '') as ivr_menu_context,
       coalesce(m.ivr_menu_enabled::text, 'false') as ivr_menu_enabled,
       coalesce(m.ivr_menu_description, '') as ivr_menu_description,
       coalesce(m.dialplan_uuid::text, '') as dialplan_uuid,
       (select coalesce(json_agg(json_build_object(
                 'ivr_menu_option_uuid', o.ivr_menu_option_uuid,
                 'ivr_menu_option_digits', coalesce(o.ivr_menu_option_digits, ''),
                 'ivr_menu_option_action', coalesce(o.ivr_menu_option_action, ''),
                 'ivr_menu_option_param', coalesce(o.ivr_menu_option_param, ''),
                 'ivr_menu_option_order', coalesce(o.ivr_menu_option_order::text, ''),
                 'ivr_menu_option_description', coalesce(o.ivr_menu_option_description, ''),
                 'ivr_menu_option_enabled', coalesce(o.ivr_menu_option_enabled::text, 'false'))
                 order by o.ivr_menu_option_order, o.ivr_menu_option_digits, o.ivr_menu_option_uuid), '[]')
          from v_ivr_menu_options as o
         where o.domain_uuid = %(domain_uuid)s and o.ivr_menu_uuid = m.ivr_menu_uuid) as ivr_menu_options
  from v_ivr_menus as m
 where m.domain_uuid = %(domain_uuid)s and m.ivr_menu_uuid = %(ivr_menu_uuid)s
