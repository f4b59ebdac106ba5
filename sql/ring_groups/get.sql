-- One ring group with its lists.
-- in:  domain_uuid uuid, ring_group_uuid uuid
-- out: every column as text, flags as "true"/"false"; the lists as json
-- index: primary key
select g.ring_group_uuid,
       coalesce(g.ring_group_name, '') as ring_group_name,
       coalesce(g.ring_group_extension, '') as ring_group_extension,
       coalesce(g.ring_group_strategy, '') as ring_group_strategy,
       coalesce(g.ring_group_call_timeout::text, '') as ring_group_call_timeout,
       coalesce(g.ring_group_greeting, '') as ring_group_greeting,
       coalesce(g.ring_group_exit_key, '') as ring_group_exit_key,
       coalesce(g.ring_group_timeout_app, '') as ring_group_timeout_app,
       coalesce(g.ring_group_timeout_data, '') as ring_group_timeout_data,
       coalesce(g.ring_group_caller_id_name, '') as ring_group_caller_id_name,
       coalesce(g.ring_group_caller_id_number, '') as ring_group_caller_id_number,
       coalesce(g.ring_group_cid_name_prefix, '') as ring_group_cid_name_prefix,
       coalesce(g.ring_group_cid_number_prefix, '') as ring_group_cid_number_prefix,
       coalesce(g.ring_group_distinctive_ring, '') as ring_group_distinctive_ring,
       coalesce(g.ring_group_ringback, '') as ring_group_ringback,
       coalesce(g.ring_group_call_screen_enabled::text, 'false') as ring_group_call_screen_enabled,  --? v_ring_groups.ring_group_call_screen_enabled
       coalesce(g.ring_group_call_forward_enabled::text, 'false') as ring_group_call_forward_enabled,
       coalesce(g.ring_group_follow_me_enabled::text, 'false') as ring_group_follow_me_enabled,
       coalesce(g.ring_group_missed_call_app, '') as ring_group_missed_call_app,
       coalesce(g.ring_group_missed_call_data, '') as ring_group_missed_call_data,
       coalesce(g.ring_group_forward_enabled::text, 'false') as ring_group_forward_enabled,
       coalesce(g.ring_group_forward_destination, '') as ring_group_forward_destination,
       coalesce(g.ring_group_forward_toll_allow, '') as ring_group_forward_toll_allow,
       coalesce(g.ring_group_wait_announcement, '') as ring_group_wait_announcement,
       coalesce(g.ring_group_wait_interval::text, '') as ring_group_wait_interval,
       coalesce(g.ring_group_context, '') as ring_group_context,
       coalesce(g.ring_group_enabled::text, 'false') as ring_group_enabled,
       coalesce(g.ring_group_description, '') as ring_group_description,
       coalesce(g.dialplan_uuid::text, '') as dialplan_uuid,
       (select coalesce(json_agg(json_build_object(
                 'ring_group_destination_uuid', d.ring_group_destination_uuid,
                 'destination_number', coalesce(d.destination_number, ''),
                 'destination_delay', coalesce(d.destination_delay::text, ''),
                 'destination_timeout', coalesce(d.destination_timeout::text, ''),
                 'destination_prompt', coalesce(d.destination_prompt::text, ''),
                 'destination_enabled', coalesce(d.destination_enabled::text, 'false'),
                 'destination_description', coalesce(d.destination_description, ''))
                 order by d.destination_delay, d.destination_number, d.ring_group_destination_uuid), '[]')
          from v_ring_group_destinations as d
         where d.domain_uuid = %(domain_uuid)s and d.ring_group_uuid = g.ring_group_uuid) as ring_group_destinations,
       (select coalesce(json_agg(u.user_uuid order by u.user_uuid), '[]')
          from v_ring_group_users as u
         where u.domain_uuid = %(domain_uuid)s and u.ring_group_uuid = g.ring_group_uuid
           and u.user_uuid is not null) as ring_group_users
  from v_ring_groups as g
 where g.domain_uuid = %(domain_uuid)s and g.ring_group_uuid = %(ring_group_uuid)s
