-- One call with all that is known of it but the raw data of the switch (v_xml_cdr.json and the side tables).
-- in:  domain_uuid uuid, xml_cdr_uuid uuid
-- out: numbers as numbers, flags as "true"/"false"; stamps as timestamptz, for the caller to show in the domain's
--      time zone
-- index: primary key
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
       coalesce(c.accountcode, '') as accountcode,
       coalesce(c.record_path, '') as record_path,
       coalesce(c.record_name, '') as record_name,
       coalesce(c.record_length, 0)::bigint as record_length,
       c.start_epoch::bigint as start_epoch,
       c.answer_epoch::bigint as answer_epoch,
       c.end_epoch::bigint as end_epoch,
       coalesce(c.mduration, 0)::bigint as mduration,
       coalesce(c.billmsec, 0)::bigint as billmsec,
       coalesce(c.waitsec, 0)::bigint as waitsec,
       coalesce(c.hold_accum_seconds, 0)::bigint as hold_accum_seconds,  --? v_xml_cdr.hold_accum_seconds
       c.pdd_ms::bigint as pdd_ms,
       coalesce(c.source_number, '') as source_number,
       coalesce(c.context, '') as context,
       coalesce(c.default_language, '') as default_language,
       coalesce(c.call_disposition, '') as call_disposition,  --? v_xml_cdr.call_disposition
       coalesce(c.sip_hangup_disposition, '') as sip_hangup_disposition,
       c.hangup_cause_q850::bigint as hangup_cause_q850,
       coalesce(c.voicemail_message::text, 'false') as voicemail_message,
       coalesce(c.sip_call_id, '') as sip_call_id,
       coalesce(c.bridge_uuid, '') as bridge_uuid,
       coalesce(c.originating_leg_uuid::text, '') as originating_leg_uuid,
       coalesce(c.read_codec, '') as read_codec,
       coalesce(c.read_rate, '') as read_rate,
       coalesce(c.write_codec, '') as write_codec,
       coalesce(c.write_rate, '') as write_rate,
       coalesce(c.remote_media_ip, '') as remote_media_ip,
       coalesce(c.network_addr, '') as network_addr,
       c.rtp_audio_in_mos::float8 as rtp_audio_in_mos,
       coalesce(c.last_app, '') as last_app,
       left(coalesce(c.last_arg, ''), 1000) as last_arg,
       coalesce(c.digits_dialed, '') as digits_dialed,
       coalesce(c.pin_number, '') as pin_number,
       coalesce(c.extension_uuid::text, '') as extension_uuid,
       coalesce(c.provider_uuid::text, '') as provider_uuid,  --? v_xml_cdr.provider_uuid
       coalesce(c.ring_group_uuid::text, '') as ring_group_uuid,  --? v_xml_cdr.ring_group_uuid
       coalesce(c.ivr_menu_uuid::text, '') as ivr_menu_uuid,  --? v_xml_cdr.ivr_menu_uuid
       coalesce(c.call_center_queue_uuid::text, '') as call_center_queue_uuid,
       coalesce(c.cc_side, '') as cc_side,
       coalesce(c.cc_queue, '') as cc_queue,
       coalesce(c.cc_agent, '') as cc_agent,
       coalesce(c.cc_cause, '') as cc_cause,
       coalesce(c.cc_cancel_reason, '') as cc_cancel_reason,
       c.cc_queue_joined_epoch::bigint as cc_queue_joined_epoch,
       c.cc_queue_answered_epoch::bigint as cc_queue_answered_epoch,
       c.cc_queue_terminated_epoch::bigint as cc_queue_terminated_epoch,
       coalesce(c.conference_name, '') as conference_name,
       coalesce(c.conference_uuid::text, '') as conference_uuid,
       coalesce(c.conference_member_id, '') as conference_member_id,
       (select json_build_object(
                 'extension_uuid', e.extension_uuid,
                 'extension', coalesce(e.extension, ''),
                 'effective_caller_id_name', coalesce(e.effective_caller_id_name, ''))
          from v_extensions as e
         where e.extension_uuid = c.extension_uuid and e.domain_uuid = %(domain_uuid)s) as extension
  from v_xml_cdr as c
 where c.domain_uuid = %(domain_uuid)s and c.xml_cdr_uuid = %(xml_cdr_uuid)s
