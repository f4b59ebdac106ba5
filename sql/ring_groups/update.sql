-- All columns of a ring group; the caller merges what was sent into the locked row.
-- in:  domain_uuid uuid, ring_group_uuid uuid, the columns as text
update v_ring_groups
   set ring_group_name = %(ring_group_name)s,
       ring_group_extension = %(ring_group_extension)s,
       ring_group_strategy = %(ring_group_strategy)s,
       ring_group_call_timeout = %(ring_group_call_timeout)s,
       ring_group_greeting = %(ring_group_greeting)s,
       ring_group_exit_key = %(ring_group_exit_key)s,
       ring_group_timeout_app = %(ring_group_timeout_app)s,
       ring_group_timeout_data = %(ring_group_timeout_data)s,
       ring_group_caller_id_name = %(ring_group_caller_id_name)s,
       ring_group_caller_id_number = %(ring_group_caller_id_number)s,
       ring_group_cid_name_prefix = %(ring_group_cid_name_prefix)s,
       ring_group_cid_number_prefix = %(ring_group_cid_number_prefix)s,
       ring_group_distinctive_ring = %(ring_group_distinctive_ring)s,
       ring_group_ringback = %(ring_group_ringback)s,
       ring_group_call_screen_enabled = %(ring_group_call_screen_enabled)s,  --? v_ring_groups.ring_group_call_screen_enabled
       ring_group_call_forward_enabled = %(ring_group_call_forward_enabled)s,
       ring_group_follow_me_enabled = %(ring_group_follow_me_enabled)s,
       ring_group_missed_call_app = %(ring_group_missed_call_app)s,
       ring_group_missed_call_data = %(ring_group_missed_call_data)s,
       ring_group_forward_enabled = %(ring_group_forward_enabled)s,
       ring_group_forward_destination = %(ring_group_forward_destination)s,
       ring_group_forward_toll_allow = %(ring_group_forward_toll_allow)s,
       ring_group_wait_announcement = %(ring_group_wait_announcement)s,
       ring_group_wait_interval = %(ring_group_wait_interval)s,
       ring_group_context = %(ring_group_context)s,
       ring_group_enabled = %(ring_group_enabled)s,
       ring_group_description = %(ring_group_description)s,
       dialplan_uuid = %(dialplan_uuid)s,
       update_date = now()
 where domain_uuid = %(domain_uuid)s and ring_group_uuid = %(ring_group_uuid)s
