-- FusionPBX's tables, for the sandbox and for tests: the names, types, column order and plain indexes of
-- FusionPBX 5.6 (5.6.4-dev). As there, nothing but the primary keys is unique, required or has a default,
-- and nothing refers to anything: those rules live in code. FusionPBX's views and functions are left out.

create table v_access_control_nodes (
    access_control_node_uuid uuid primary key,
    access_control_uuid uuid,
    node_type text,
    node_cidr text,
    node_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_access_control_nodes_access_control_uuid_fkey on v_access_control_nodes (access_control_uuid);

create table v_access_controls (
    access_control_uuid uuid primary key,
    access_control_name text,
    access_control_default text,
    access_control_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_bridges (
    bridge_uuid uuid primary key,
    domain_uuid uuid,
    bridge_name text,
    bridge_destination text,
    bridge_enabled boolean,
    bridge_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_bridges_domain_uuid_fkey on v_bridges (domain_uuid);

create table v_call_block (
    domain_uuid uuid,
    call_block_uuid uuid primary key,
    call_block_direction text,
    extension_uuid uuid,
    call_block_name text,
    call_block_country_code numeric,
    call_block_number text,
    call_block_count numeric,
    call_block_action text,
    call_block_app text,
    call_block_data text,
    date_added text,
    call_block_enabled boolean,
    call_block_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_call_block_domain_uuid_fkey on v_call_block (domain_uuid);
create index v_call_block_extension_uuid_fkey on v_call_block (extension_uuid);

create table v_call_broadcasts (
    call_broadcast_uuid uuid primary key,
    domain_uuid uuid,
    broadcast_name text,
    broadcast_description text,
    broadcast_start_time numeric,
    broadcast_timeout numeric,
    broadcast_concurrent_limit numeric,
    recording_uuid uuid,
    broadcast_caller_id_name text,
    broadcast_caller_id_number text,
    broadcast_destination_type text,
    broadcast_phone_numbers text,
    broadcast_avmd boolean,
    broadcast_destination_data text,
    broadcast_accountcode text,
    broadcast_toll_allow text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_call_broadcasts_domain_uuid_fkey on v_call_broadcasts (domain_uuid);
create index v_call_broadcasts_recording_uuid_fkey on v_call_broadcasts (recording_uuid);

create table v_call_center_agents (
    call_center_agent_uuid uuid primary key,
    domain_uuid uuid,
    user_uuid uuid,
    agent_name text,
    agent_type text,
    agent_call_timeout numeric,
    agent_id text,
    agent_password text,
    agent_contact text,
    agent_status text,
    agent_logout text,
    agent_max_no_answer numeric,
    agent_wrap_up_time numeric,
    agent_reject_delay_time numeric,
    agent_busy_delay_time numeric,
    agent_no_answer_delay_time text,
    agent_record boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_call_center_agents_domain_uuid_fkey on v_call_center_agents (domain_uuid);
create index v_call_center_agents_user_uuid_fkey on v_call_center_agents (user_uuid);

create table v_call_center_queues (
    call_center_queue_uuid uuid primary key,
    domain_uuid uuid,
    dialplan_uuid uuid,
    queue_name text,
    queue_extension text,
    queue_greeting text,
    queue_strategy text,
    queue_moh_sound text,
    queue_record_template text,
    queue_language text,
    queue_dialect text,
    queue_voice text,
    queue_limit text,
    queue_time_base_score text,
    queue_time_base_score_sec numeric,
    queue_max_wait_time numeric,
    queue_max_wait_time_with_no_agent numeric,
    queue_max_wait_time_with_no_agent_time_reached numeric,
    queue_tier_rules_apply boolean,
    queue_tier_rule_wait_second numeric,
    queue_tier_rule_no_agent_no_wait boolean,
    queue_timeout_action text,
    queue_discard_abandoned_after numeric,
    queue_abandoned_resume_allowed boolean,
    queue_tier_rule_wait_multiply_level boolean,
    queue_cid_prefix text,
    queue_outbound_caller_id_name text,
    queue_outbound_caller_id_number text,
    queue_announce_position text,
    queue_announce_sound text,
    queue_announce_frequency numeric,
    queue_cc_exit_keys text,
    queue_email_address text,
    queue_context text,
    queue_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_call_center_queues_dialplan_uuid_fkey on v_call_center_queues (dialplan_uuid);
create index v_call_center_queues_domain_uuid_fkey on v_call_center_queues (domain_uuid);

create table v_call_center_tiers (
    call_center_tier_uuid uuid primary key,
    domain_uuid uuid,
    call_center_queue_uuid uuid,
    call_center_agent_uuid uuid,
    agent_name text,
    queue_name text,
    tier_level numeric,
    tier_position numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_call_center_tiers_call_center_agent_uuid_fkey on v_call_center_tiers (call_center_agent_uuid);
create index v_call_center_tiers_call_center_queue_uuid_fkey on v_call_center_tiers (call_center_queue_uuid);
create index v_call_center_tiers_domain_uuid_fkey on v_call_center_tiers (domain_uuid);

create table v_call_flows (
    domain_uuid uuid,
    call_flow_uuid uuid primary key,
    dialplan_uuid uuid,
    call_flow_name text,
    call_flow_extension text,
    call_flow_feature_code text,
    call_flow_context text,
    call_flow_status text,
    call_flow_pin_number text,
    call_flow_label text,
    call_flow_sound text,
    call_flow_app text,
    call_flow_data text,
    call_flow_alternate_label text,
    call_flow_alternate_sound text,
    call_flow_alternate_app text,
    call_flow_alternate_data text,
    call_flow_enabled boolean,
    call_flow_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_call_flows_dialplan_uuid_fkey on v_call_flows (dialplan_uuid);
create index v_call_flows_domain_uuid_fkey on v_call_flows (domain_uuid);

create table v_conference_centers (
    domain_uuid uuid,
    conference_center_uuid uuid primary key,
    dialplan_uuid uuid,
    conference_center_name text,
    conference_center_extension text,
    conference_center_pin_length numeric,
    conference_center_greeting text,
    conference_center_description text,
    conference_center_enabled boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_centers_dialplan_uuid_fkey on v_conference_centers (dialplan_uuid);
create index v_conference_centers_domain_uuid_fkey on v_conference_centers (domain_uuid);

create table v_conference_control_details (
    conference_control_detail_uuid uuid primary key,
    conference_control_uuid uuid,
    control_digits text,
    control_action text,
    control_data text,
    control_enabled boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_control_details_conference_control_uuid_fkey on v_conference_control_details (conference_control_uuid);

create table v_conference_controls (
    conference_control_uuid uuid primary key,
    control_name text,
    control_enabled boolean,
    control_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_conference_profile_params (
    conference_profile_param_uuid uuid primary key,
    conference_profile_uuid uuid,
    profile_param_name text,
    profile_param_value text,
    profile_param_enabled boolean,
    profile_param_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_profile_params_conference_profile_uuid_fkey on v_conference_profile_params (conference_profile_uuid);

create table v_conference_profiles (
    conference_profile_uuid uuid primary key,
    profile_name text,
    profile_enabled boolean,
    profile_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_conference_room_users (
    domain_uuid uuid,
    conference_room_user_uuid uuid primary key,
    conference_room_uuid uuid,
    user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_room_users_conference_room_uuid_fkey on v_conference_room_users (conference_room_uuid);
create index v_conference_room_users_domain_uuid_fkey on v_conference_room_users (domain_uuid);
create index v_conference_room_users_user_uuid_fkey on v_conference_room_users (user_uuid);

create table v_conference_rooms (
    domain_uuid uuid,
    conference_room_uuid uuid primary key,
    conference_center_uuid uuid,
    conference_room_name text,
    profile text,
    record boolean,
    moderator_pin text,
    participant_pin text,
    max_members numeric,
    start_datetime text,
    stop_datetime text,
    wait_mod boolean,
    moderator_endconf boolean,
    announce_name boolean,
    announce_count boolean,
    announce_recording boolean,
    sounds boolean,
    mute boolean,
    created text,
    created_by text,
    email_address text,
    account_code text,
    enabled boolean,
    description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_rooms_conference_center_uuid_fkey on v_conference_rooms (conference_center_uuid);
create index v_conference_rooms_domain_uuid_fkey on v_conference_rooms (domain_uuid);

create table v_conference_session_details (
    domain_uuid uuid,
    conference_session_detail_uuid uuid primary key,
    conference_session_uuid uuid,
    meeting_uuid uuid,
    username text,
    caller_id_name text,
    caller_id_number text,
    uuid uuid,
    moderator text,
    network_addr text,
    start_epoch numeric,
    end_epoch numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_session_details_conference_session_uuid_fkey on v_conference_session_details (conference_session_uuid);
create index v_conference_session_details_domain_uuid_fkey on v_conference_session_details (domain_uuid);
create index v_conference_session_details_meeting_uuid_fkey on v_conference_session_details (meeting_uuid);

create table v_conference_sessions (
    domain_uuid uuid,
    conference_session_uuid uuid primary key,
    meeting_uuid uuid,
    profile text,
    recording text,
    start_epoch numeric,
    end_epoch numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_sessions_domain_uuid_fkey on v_conference_sessions (domain_uuid);
create index v_conference_sessions_meeting_uuid_fkey on v_conference_sessions (meeting_uuid);

create table v_conference_users (
    conference_user_uuid uuid primary key,
    domain_uuid uuid,
    conference_uuid uuid,
    user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conference_users_conference_uuid_fkey on v_conference_users (conference_uuid);
create index v_conference_users_domain_uuid_fkey on v_conference_users (domain_uuid);
create index v_conference_users_user_uuid_fkey on v_conference_users (user_uuid);

create table v_conferences (
    domain_uuid uuid,
    conference_uuid uuid primary key,
    dialplan_uuid uuid,
    conference_name text,
    conference_extension text,
    conference_pin_number text,
    conference_profile text,
    conference_email_address text,
    conference_account_code text,
    conference_flags text,
    conference_order numeric,
    conference_description text,
    conference_context text,
    conference_enabled boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_conferences_dialplan_uuid_fkey on v_conferences (dialplan_uuid);
create index v_conferences_domain_uuid_fkey on v_conferences (domain_uuid);

create table v_contact_addresses (
    contact_address_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    address_type text,
    address_label text,
    address_primary boolean,
    address_street text,
    address_extended text,
    address_community text,
    address_locality text,
    address_region text,
    address_postal_code text,
    address_country text,
    address_latitude text,
    address_longitude text,
    address_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_addresses_contact_uuid_fkey on v_contact_addresses (contact_uuid);
create index v_contact_addresses_domain_uuid_fkey on v_contact_addresses (domain_uuid);

create table v_contact_attachments (
    contact_attachment_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    attachment_primary boolean,
    attachment_filename text,
    attachment_content text,
    attachment_description text,
    attachment_uploaded_date timestamptz,
    attachment_uploaded_user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_attachments_attachment_uploaded_user_uuid_fkey on v_contact_attachments (attachment_uploaded_user_uuid);
create index v_contact_attachments_contact_uuid_fkey on v_contact_attachments (contact_uuid);
create index v_contact_attachments_domain_uuid_fkey on v_contact_attachments (domain_uuid);

create table v_contact_emails (
    contact_email_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    email_label text,
    email_primary boolean,
    email_address text,
    email_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_emails_contact_uuid_fkey on v_contact_emails (contact_uuid);
create index v_contact_emails_domain_uuid_fkey on v_contact_emails (domain_uuid);

create table v_contact_groups (
    contact_group_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    group_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_groups_contact_uuid_fkey on v_contact_groups (contact_uuid);
create index v_contact_groups_domain_uuid_fkey on v_contact_groups (domain_uuid);
create index v_contact_groups_group_uuid_fkey on v_contact_groups (group_uuid);

create table v_contact_notes (
    contact_note_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    contact_note text,
    last_mod_date text,
    last_mod_user text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_notes_contact_uuid_fkey on v_contact_notes (contact_uuid);
create index v_contact_notes_domain_uuid_fkey on v_contact_notes (domain_uuid);

create table v_contact_phones (
    contact_phone_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    phone_label text,
    phone_type_voice numeric,
    phone_type_fax numeric,
    phone_type_video numeric,
    phone_type_text numeric,
    phone_speed_dial text,
    phone_country_code numeric,
    phone_number text,
    phone_extension text,
    phone_primary boolean,
    phone_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_phones_contact_uuid_fkey on v_contact_phones (contact_uuid);
create index v_contact_phones_domain_uuid_fkey on v_contact_phones (domain_uuid);

create table v_contact_relations (
    contact_relation_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    relation_label text,
    relation_contact_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_relations_contact_uuid_fkey on v_contact_relations (contact_uuid);
create index v_contact_relations_domain_uuid_fkey on v_contact_relations (domain_uuid);
create index v_contact_relations_relation_contact_uuid_fkey on v_contact_relations (relation_contact_uuid);

create table v_contact_settings (
    contact_setting_uuid uuid primary key,
    contact_uuid uuid,
    domain_uuid uuid,
    contact_setting_category text,
    contact_setting_subcategory text,
    contact_setting_name text,
    contact_setting_value text,
    contact_setting_order numeric,
    contact_setting_enabled boolean,
    contact_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_settings_contact_uuid_fkey on v_contact_settings (contact_uuid);
create index v_contact_settings_domain_uuid_fkey on v_contact_settings (domain_uuid);

create table v_contact_times (
    domain_uuid uuid,
    contact_time_uuid uuid primary key,
    contact_uuid uuid,
    user_uuid uuid,
    time_start timestamptz,
    time_stop timestamptz,
    time_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_times_contact_uuid_fkey on v_contact_times (contact_uuid);
create index v_contact_times_domain_uuid_fkey on v_contact_times (domain_uuid);
create index v_contact_times_user_uuid_fkey on v_contact_times (user_uuid);

create table v_contact_urls (
    contact_url_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    url_type text,
    url_label text,
    url_primary boolean,
    url_address text,
    url_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_urls_contact_uuid_fkey on v_contact_urls (contact_uuid);
create index v_contact_urls_domain_uuid_fkey on v_contact_urls (domain_uuid);

create table v_contact_users (
    contact_user_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contact_users_contact_uuid_fkey on v_contact_users (contact_uuid);
create index v_contact_users_domain_uuid_fkey on v_contact_users (domain_uuid);
create index v_contact_users_user_uuid_fkey on v_contact_users (user_uuid);

create table v_contacts (
    contact_uuid uuid primary key,
    domain_uuid uuid,
    contact_parent_uuid uuid,
    contact_type text,
    contact_organization text,
    contact_name_prefix text,
    contact_name_given text,
    contact_name_middle text,
    contact_name_family text,
    contact_name_suffix text,
    contact_nickname text,
    contact_title text,
    contact_role text,
    contact_category text,
    contact_url text,
    contact_time_zone text,
    contact_note text,
    last_mod_date text,
    last_mod_user text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_contacts_contact_parent_uuid_fkey on v_contacts (contact_parent_uuid);
create index v_contacts_domain_uuid_fkey on v_contacts (domain_uuid);

create table v_countries (
    country_uuid uuid primary key,
    country text,
    iso_a2 text,
    iso_a3 text,
    num numeric,
    country_code text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_dashboard_widget_groups (
    dashboard_uuid uuid,
    dashboard_widget_group_uuid uuid primary key,
    dashboard_widget_uuid uuid,
    group_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_dashboard_widget_groups_dashboard_uuid_fkey on v_dashboard_widget_groups (dashboard_uuid);
create index v_dashboard_widget_groups_dashboard_widget_uuid_fkey on v_dashboard_widget_groups (dashboard_widget_uuid);

create table v_dashboard_widgets (
    dashboard_uuid uuid,
    dashboard_widget_uuid uuid primary key,
    dashboard_widget_parent_uuid uuid,
    widget_name text,
    widget_path text,
    widget_icon text,
    widget_icon_color text,
    widget_url text,
    widget_target text,
    widget_width numeric,
    widget_height numeric,
    widget_content text,
    widget_content_text_align text,
    widget_content_details text,
    widget_chart_type text,
    widget_label_enabled boolean,
    widget_label_text_color text,
    widget_label_text_color_hover text,
    widget_label_background_color text,
    widget_label_background_color_hover text,
    widget_number_text_color text,
    widget_number_text_color_hover text,
    widget_number_background_color text,
    widget_background_color text,
    widget_background_color_hover text,
    widget_detail_background_color text,
    widget_background_gradient_style text,
    widget_background_gradient_angle text,
    widget_column_span numeric,
    widget_row_span numeric,
    widget_details_state text,
    widget_order numeric,
    widget_enabled boolean,
    widget_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_dashboard_widgets_dashboard_uuid_fkey on v_dashboard_widgets (dashboard_uuid);
create index v_dashboard_widgets_dashboard_widget_parent_uuid_fkey on v_dashboard_widgets (dashboard_widget_parent_uuid);

create table v_dashboards (
    domain_uuid uuid,
    dashboard_uuid uuid primary key,
    dashboard_name text,
    dashboard_enabled boolean,
    dashboard_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_dashboards_domain_uuid_fkey on v_dashboards (domain_uuid);

create table v_database_transactions (
    domain_uuid uuid,
    database_transaction_uuid uuid primary key,
    user_uuid uuid,
    app_name text,
    app_uuid uuid,
    transaction_code text,
    transaction_address text,
    transaction_type text,
    transaction_date timestamptz,
    transaction_old text,
    transaction_new text,
    transaction_result text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_database_transactions_domain_uuid_fkey on v_database_transactions (domain_uuid);

create table v_databases (
    database_uuid uuid primary key,
    database_driver text,
    database_type text,
    database_host text,
    database_port text,
    database_name text,
    database_username text,
    database_password text,
    database_path text,
    database_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_default_settings (
    default_setting_uuid uuid primary key,
    app_uuid uuid,
    default_setting_category text,
    default_setting_subcategory text,
    default_setting_name text,
    default_setting_value text,
    default_setting_order numeric,
    default_setting_enabled boolean,
    default_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_destinations (
    domain_uuid uuid,
    destination_uuid uuid primary key,
    dialplan_uuid uuid,
    fax_uuid uuid,
    user_uuid uuid,
    group_uuid uuid,
    provider_uuid uuid,
    destination_type text,
    destination_number text,
    destination_trunk_prefix text,
    destination_area_code text,
    destination_prefix text,
    destination_condition_field text,
    destination_number_regex text,
    destination_caller_id_name text,
    destination_caller_id_number text,
    destination_cid_name_prefix text,
    destination_context text,
    destination_record boolean,
    destination_hold_music text,
    destination_distinctive_ring text,
    destination_ringback text,
    destination_accountcode text,
    destination_type_voice numeric,
    destination_type_fax numeric,
    destination_type_emergency numeric,
    destination_type_text numeric,
    destination_conditions json,
    destination_actions json,
    destination_app text,
    destination_data text,
    destination_alternate_app text,
    destination_alternate_data text,
    destination_order numeric,
    destination_enabled boolean,
    destination_description text,
    destination_email boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_destinations_dialplan_uuid_fkey on v_destinations (dialplan_uuid);
create index v_destinations_domain_uuid_fkey on v_destinations (domain_uuid);
create index v_destinations_fax_uuid_fkey on v_destinations (fax_uuid);
create index v_destinations_group_uuid_fkey on v_destinations (group_uuid);
create index v_destinations_user_uuid_fkey on v_destinations (user_uuid);

create table v_device_keys (
    domain_uuid uuid,
    device_key_uuid uuid primary key,
    device_uuid uuid,
    device_key_id numeric,
    device_key_category text,
    device_key_vendor text,
    device_key_type text,
    device_key_subtype text,
    device_key_line numeric,
    device_key_value text,
    device_key_extension text,
    device_key_protected text,
    device_key_label text,
    device_key_icon text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_keys_device_uuid_fkey on v_device_keys (device_uuid);
create index v_device_keys_domain_uuid_fkey on v_device_keys (domain_uuid);

create table v_device_lines (
    domain_uuid uuid,
    device_line_uuid uuid primary key,
    device_uuid uuid,
    line_number text,
    server_address text,
    server_address_primary text,
    server_address_secondary text,
    outbound_proxy_primary text,
    outbound_proxy_secondary text,
    label text,
    display_name text,
    user_id text,
    auth_id text,
    password text,
    sip_port numeric,
    sip_transport text,
    register_expires numeric,
    shared_line text,
    enabled boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_lines_device_uuid_fkey on v_device_lines (device_uuid);
create index v_device_lines_domain_uuid_fkey on v_device_lines (domain_uuid);

create table v_device_profile_keys (
    device_profile_key_uuid uuid primary key,
    domain_uuid uuid,
    device_profile_uuid uuid,
    profile_key_id numeric,
    profile_key_category text,
    profile_key_vendor text,
    profile_key_type text,
    profile_key_subtype text,
    profile_key_line numeric,
    profile_key_value text,
    profile_key_extension text,
    profile_key_protected boolean,
    profile_key_label text,
    profile_key_icon text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_profile_keys_device_profile_uuid_fkey on v_device_profile_keys (device_profile_uuid);
create index v_device_profile_keys_domain_uuid_fkey on v_device_profile_keys (domain_uuid);

create table v_device_profile_settings (
    device_profile_setting_uuid uuid primary key,
    domain_uuid uuid,
    device_profile_uuid uuid,
    profile_setting_name text,
    profile_setting_value text,
    profile_setting_enabled boolean,
    profile_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_profile_settings_device_profile_uuid_fkey on v_device_profile_settings (device_profile_uuid);
create index v_device_profile_settings_domain_uuid_fkey on v_device_profile_settings (domain_uuid);

create table v_device_profiles (
    device_profile_uuid uuid primary key,
    domain_uuid uuid,
    device_profile_name text,
    device_profile_enabled boolean,
    device_profile_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_profiles_domain_uuid_fkey on v_device_profiles (domain_uuid);

create table v_device_settings (
    device_setting_uuid uuid primary key,
    device_uuid uuid,
    domain_uuid uuid,
    device_setting_category text,
    device_setting_subcategory text,
    device_setting_name text,
    device_setting_value text,
    device_setting_enabled boolean,
    device_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_settings_device_uuid_fkey on v_device_settings (device_uuid);
create index v_device_settings_domain_uuid_fkey on v_device_settings (domain_uuid);

create table v_device_vendor_function_groups (
    device_vendor_function_group_uuid uuid primary key,
    device_vendor_function_uuid uuid,
    device_vendor_uuid uuid,
    group_name text,
    group_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_vendor_function_groups_device_vendor_function_uuid_fke on v_device_vendor_function_groups (device_vendor_function_uuid);
create index v_device_vendor_function_groups_device_vendor_uuid_fkey on v_device_vendor_function_groups (device_vendor_uuid);
create index v_device_vendor_function_groups_group_uuid_fkey on v_device_vendor_function_groups (group_uuid);

create table v_device_vendor_functions (
    device_vendor_function_uuid uuid primary key,
    device_vendor_uuid uuid,
    type text,
    subtype text,
    value text,
    enabled boolean,
    description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_device_vendor_functions_device_vendor_uuid_fkey on v_device_vendor_functions (device_vendor_uuid);

create table v_device_vendors (
    device_vendor_uuid uuid primary key,
    name text,
    enabled boolean,
    description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_devices (
    device_uuid uuid primary key,
    domain_uuid uuid,
    device_profile_uuid uuid,
    device_address text,
    device_label text,
    device_vendor text,
    device_location text,
    device_serial_number text,
    device_model text,
    device_firmware_version text,
    device_enabled boolean,
    device_enabled_date timestamptz,
    device_template text,
    device_user_uuid uuid,
    device_username text,
    device_password text,
    device_uuid_alternate uuid,
    device_description text,
    device_provisioned_date timestamptz,
    device_provisioned_method text,
    device_provisioned_ip text,
    device_provisioned_agent text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_devices_device_profile_uuid_fkey on v_devices (device_profile_uuid);
create index v_devices_device_user_uuid_fkey on v_devices (device_user_uuid);
create index v_devices_device_uuid_alternate_fkey on v_devices (device_uuid_alternate);
create index v_devices_domain_uuid_fkey on v_devices (domain_uuid);

create table v_dialplan_details (
    domain_uuid uuid,
    dialplan_uuid uuid,
    dialplan_detail_uuid uuid primary key,
    dialplan_detail_tag text,
    dialplan_detail_type text,
    dialplan_detail_data text,
    dialplan_detail_break text,
    dialplan_detail_inline text,
    dialplan_detail_group numeric,
    dialplan_detail_order numeric,
    dialplan_detail_enabled boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_dialplan_details_dialplan_uuid_fkey on v_dialplan_details (dialplan_uuid);
create index v_dialplan_details_domain_uuid_fkey on v_dialplan_details (domain_uuid);

create table v_dialplans (
    domain_uuid uuid,
    dialplan_uuid uuid primary key,
    app_uuid uuid,
    hostname text,
    dialplan_context text,
    dialplan_name text,
    dialplan_number text,
    dialplan_destination boolean,
    dialplan_continue boolean,
    dialplan_xml text,
    dialplan_order numeric,
    dialplan_enabled boolean,
    dialplan_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_dialplans_domain_uuid_fkey on v_dialplans (domain_uuid);

create table v_domain_settings (
    domain_uuid uuid,
    domain_setting_uuid uuid primary key,
    app_uuid uuid,
    domain_setting_category text,
    domain_setting_subcategory text,
    domain_setting_name text,
    domain_setting_value text,
    domain_setting_order numeric,
    domain_setting_enabled boolean,
    domain_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_domain_settings_domain_uuid_fkey on v_domain_settings (domain_uuid);

create table v_domains (
    domain_uuid uuid primary key,
    domain_parent_uuid uuid,
    domain_name text,
    domain_enabled boolean,
    domain_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_domains_domain_parent_uuid_fkey on v_domains (domain_parent_uuid);

create table v_email_queue (
    email_queue_uuid uuid primary key,
    domain_uuid uuid,
    hostname text,
    email_date timestamptz,
    email_from text,
    email_to text,
    email_subject text,
    email_body text,
    email_status text,
    email_retry_count numeric,
    email_action_before text,
    email_action_after text,
    email_uuid uuid,
    email_transcription text,
    email_response text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_email_queue_domain_uuid_fkey on v_email_queue (domain_uuid);

create table v_email_queue_attachments (
    email_queue_attachment_uuid uuid primary key,
    domain_uuid uuid,
    email_queue_uuid uuid,
    email_attachment_mime_type text,
    email_attachment_type text,
    email_attachment_path text,
    email_attachment_name text,
    email_attachment_base64 text,
    email_attachment_cid text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_email_queue_attachments_domain_uuid_fkey on v_email_queue_attachments (domain_uuid);
create index v_email_queue_attachments_email_queue_uuid_fkey on v_email_queue_attachments (email_queue_uuid);

create table v_email_templates (
    email_template_uuid uuid primary key,
    domain_uuid uuid,
    template_language text,
    template_category text,
    template_subcategory text,
    template_subject text,
    template_body text,
    template_type text,
    template_enabled boolean,
    template_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_email_templates_domain_uuid_fkey on v_email_templates (domain_uuid);

create table v_emergency_logs (
    emergency_log_uuid uuid primary key,
    domain_uuid uuid,
    extension numeric,
    event text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_emergency_logs_domain_uuid_fkey on v_emergency_logs (domain_uuid);

create table v_event_guard_logs (
    event_guard_log_uuid uuid primary key,
    hostname text,
    log_date timestamptz,
    filter text,
    ip_address text,
    extension text,
    user_agent text,
    log_status text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_extension_settings (
    extension_setting_uuid uuid primary key,
    domain_uuid uuid,
    extension_uuid uuid,
    extension_setting_type text,
    extension_setting_name text,
    extension_setting_value text,
    extension_setting_enabled boolean,
    extension_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_extension_settings_domain_uuid_fkey on v_extension_settings (domain_uuid);

create table v_extension_users (
    extension_user_uuid uuid primary key,
    domain_uuid uuid,
    extension_uuid uuid,
    user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_extension_users_domain_uuid_fkey on v_extension_users (domain_uuid);
create index v_extension_users_extension_uuid_fkey on v_extension_users (extension_uuid);
create index v_extension_users_user_uuid_fkey on v_extension_users (user_uuid);

create table v_extensions (
    extension_uuid uuid primary key,
    domain_uuid uuid,
    extension text,
    number_alias text,
    password text,
    accountcode text,
    effective_caller_id_name text,
    effective_caller_id_number text,
    outbound_caller_id_name text,
    outbound_caller_id_number text,
    emergency_caller_id_name text,
    emergency_caller_id_number text,
    directory_first_name text,
    directory_last_name text,
    directory_visible boolean,
    directory_exten_visible boolean,
    max_registrations text,
    limit_max text,
    limit_destination text,
    missed_call_app text,
    missed_call_data text,
    user_context text,
    toll_allow text,
    call_timeout numeric,
    call_group text,
    call_screen_enabled boolean,
    user_record text,
    hold_music text,
    auth_acl text,
    cidr text,
    sip_force_contact text,
    nibble_account text,
    sip_force_expires numeric,
    mwi_account text,
    sip_bypass_media text,
    unique_id numeric,
    dial_string text,
    dial_user text,
    dial_domain text,
    do_not_disturb boolean,
    forward_all_destination text,
    forward_all_enabled boolean,
    forward_busy_destination text,
    forward_busy_enabled boolean,
    forward_no_answer_destination text,
    forward_no_answer_enabled boolean,
    forward_user_not_registered_destination text,
    forward_user_not_registered_enabled boolean,
    follow_me_uuid uuid,
    follow_me_enabled boolean,
    follow_me_destinations text,
    extension_language text,
    extension_dialect text,
    extension_voice text,
    extension_type text,
    enabled boolean,
    description text,
    absolute_codec_string text,
    force_ping boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_extensions_domain_uuid_fkey on v_extensions (domain_uuid);
create index v_extensions_follow_me_uuid_fkey on v_extensions (follow_me_uuid);

create table v_fax (
    fax_uuid uuid primary key,
    domain_uuid uuid,
    dialplan_uuid uuid,
    fax_extension text,
    fax_destination_number text,
    fax_prefix text,
    fax_name text,
    fax_email text,
    fax_email_confirmation text,
    fax_file text,
    fax_email_connection_type text,
    fax_email_connection_host text,
    fax_email_connection_port text,
    fax_email_connection_security text,
    fax_email_connection_validate boolean,
    fax_email_connection_username text,
    fax_email_connection_password text,
    fax_email_connection_mailbox text,
    fax_email_inbound_subject_tag text,
    fax_email_outbound_subject_tag text,
    fax_email_outbound_authorized_senders text,
    fax_pin_number text,
    fax_caller_id_name text,
    fax_caller_id_number text,
    fax_toll_allow text,
    fax_forward_number text,
    fax_send_channels numeric,
    fax_description text,
    accountcode text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_fax_dialplan_uuid_fkey on v_fax (dialplan_uuid);
create index v_fax_domain_uuid_fkey on v_fax (domain_uuid);

create table v_fax_files (
    domain_uuid uuid,
    fax_file_uuid uuid primary key,
    fax_uuid uuid,
    fax_mode text,
    fax_recipient text,
    fax_destination text,
    fax_file_type text,
    fax_file_path text,
    fax_caller_id_name text,
    fax_caller_id_number text,
    fax_date timestamptz,
    fax_epoch numeric,
    fax_base64 text,
    read_date timestamptz,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_fax_files_domain_uuid_fkey on v_fax_files (domain_uuid);

create table v_fax_logs (
    fax_log_uuid uuid primary key,
    domain_uuid uuid,
    fax_uuid uuid,
    fax_success text,
    fax_result_code numeric,
    fax_result_text text,
    fax_file text,
    fax_ecm_used text,
    fax_local_station_id text,
    fax_document_transferred_pages numeric,
    fax_document_total_pages numeric,
    fax_image_resolution text,
    fax_image_size numeric,
    fax_bad_rows numeric,
    fax_transfer_rate numeric,
    fax_retry_attempts numeric,
    fax_retry_limit numeric,
    fax_retry_sleep numeric,
    fax_uri text,
    fax_duration numeric,
    fax_date timestamptz,
    fax_epoch numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_fax_logs_domain_uuid_fkey on v_fax_logs (domain_uuid);
create index v_fax_logs_fax_uuid_fkey on v_fax_logs (fax_uuid);

create table v_fax_queue (
    fax_queue_uuid uuid primary key,
    domain_uuid uuid,
    fax_uuid uuid,
    origination_uuid uuid,
    fax_log_uuid uuid,
    fax_date timestamptz,
    hostname text,
    fax_caller_id_name text,
    fax_caller_id_number text,
    fax_recipient text,
    fax_number text,
    fax_prefix text,
    fax_email_address text,
    fax_file text,
    fax_status text,
    fax_retry_date timestamptz,
    fax_notify_sent boolean,
    fax_notify_date timestamptz,
    fax_retry_count numeric,
    fax_accountcode text,
    fax_command text,
    fax_response text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_fax_queue_domain_uuid_fkey on v_fax_queue (domain_uuid);
create index v_fax_queue_fax_log_uuid_fkey on v_fax_queue (fax_log_uuid);

create table v_fax_users (
    fax_user_uuid uuid primary key,
    domain_uuid uuid,
    fax_uuid uuid,
    user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_fax_users_domain_uuid_fkey on v_fax_users (domain_uuid);
create index v_fax_users_fax_uuid_fkey on v_fax_users (fax_uuid);
create index v_fax_users_user_uuid_fkey on v_fax_users (user_uuid);

create table v_fifo (
    fifo_uuid uuid primary key,
    domain_uuid uuid,
    dialplan_uuid uuid,
    fifo_name text,
    fifo_extension text,
    fifo_agent_queue text,
    fifo_agent_status text,
    fifo_strategy text,
    fifo_members text,
    fifo_timeout_seconds text,
    fifo_exit_key numeric,
    fifo_exit_action text,
    fifo_music text,
    fifo_order numeric,
    fifo_enabled boolean,
    fifo_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_fifo_dialplan_uuid_fkey on v_fifo (dialplan_uuid);
create index v_fifo_domain_uuid_fkey on v_fifo (domain_uuid);

create table v_fifo_members (
    fifo_member_uuid uuid primary key,
    domain_uuid uuid,
    fifo_uuid uuid,
    member_contact text,
    member_call_timeout numeric,
    member_simultaneous numeric,
    member_wrap_up_time numeric,
    member_enabled boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_fifo_members_domain_uuid_fkey on v_fifo_members (domain_uuid);
create index v_fifo_members_fifo_uuid_fkey on v_fifo_members (fifo_uuid);

create table v_follow_me (
    domain_uuid uuid,
    follow_me_uuid uuid primary key,
    cid_name_prefix text,
    cid_number_prefix text,
    dial_string text,
    follow_me_enabled boolean,
    follow_me_ignore_busy boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_follow_me_domain_uuid_fkey on v_follow_me (domain_uuid);

create table v_follow_me_destinations (
    domain_uuid uuid,
    follow_me_uuid uuid,
    follow_me_destination_uuid uuid primary key,
    follow_me_destination text,
    follow_me_delay numeric,
    follow_me_timeout numeric,
    follow_me_prompt text,
    follow_me_order numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_follow_me_destinations_domain_uuid_fkey on v_follow_me_destinations (domain_uuid);
create index v_follow_me_destinations_follow_me_uuid_fkey on v_follow_me_destinations (follow_me_uuid);

create table v_gateways (
    gateway_uuid uuid primary key,
    domain_uuid uuid,
    gateway text,
    username text,
    password text,
    distinct_to boolean,
    auth_username text,
    realm text,
    from_user text,
    from_domain text,
    proxy text,
    register_proxy text,
    outbound_proxy text,
    expire_seconds numeric,
    register boolean,
    register_transport text,
    contact_params text,
    retry_seconds numeric,
    extension text,
    ping text,
    ping_min text,
    ping_max text,
    contact_in_ping boolean,
    caller_id_in_from boolean,
    supress_cng boolean,
    sip_cid_type text,
    codec_prefs text,
    channels numeric,
    extension_in_contact text,
    context text,
    profile text,
    hostname text,
    enabled boolean,
    description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_gateways_domain_uuid_fkey on v_gateways (domain_uuid);

create table v_group_permissions (
    group_permission_uuid uuid primary key,
    domain_uuid uuid,
    permission_name text,
    permission_protected text,
    permission_assigned text,
    group_name text,
    group_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_group_permissions_domain_uuid_fkey on v_group_permissions (domain_uuid);
create index v_group_permissions_group_uuid_fkey on v_group_permissions (group_uuid);

create table v_groups (
    group_uuid uuid primary key,
    domain_uuid uuid,
    group_name text,
    group_protected boolean,
    group_level numeric,
    group_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_groups_domain_uuid_fkey on v_groups (domain_uuid);

create table v_ivr_menu_options (
    ivr_menu_option_uuid uuid primary key,
    ivr_menu_uuid uuid,
    domain_uuid uuid,
    ivr_menu_option_digits text,
    ivr_menu_option_action text,
    ivr_menu_option_param text,
    ivr_menu_option_order numeric,
    ivr_menu_option_description text,
    ivr_menu_option_enabled boolean,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_ivr_menu_options_domain_uuid_fkey on v_ivr_menu_options (domain_uuid);
create index v_ivr_menu_options_ivr_menu_uuid_fkey on v_ivr_menu_options (ivr_menu_uuid);

create table v_ivr_menus (
    ivr_menu_uuid uuid primary key,
    domain_uuid uuid,
    dialplan_uuid uuid,
    ivr_menu_name text,
    ivr_menu_extension text,
    ivr_menu_parent_uuid uuid,
    ivr_menu_language text,
    ivr_menu_dialect text,
    ivr_menu_voice text,
    ivr_menu_greet_long text,
    ivr_menu_greet_short text,
    ivr_menu_invalid_sound text,
    ivr_menu_exit_sound text,
    ivr_menu_pin_number text,
    ivr_menu_confirm_macro text,
    ivr_menu_confirm_key text,
    ivr_menu_tts_engine text,
    ivr_menu_tts_voice text,
    ivr_menu_confirm_attempts numeric,
    ivr_menu_timeout numeric,
    ivr_menu_exit_app text,
    ivr_menu_exit_data text,
    ivr_menu_inter_digit_timeout numeric,
    ivr_menu_max_failures numeric,
    ivr_menu_max_timeouts numeric,
    ivr_menu_digit_len numeric,
    ivr_menu_direct_dial boolean,
    ivr_menu_ringback text,
    ivr_menu_cid_prefix text,
    ivr_menu_context text,
    ivr_menu_enabled boolean,
    ivr_menu_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_ivr_menus_dialplan_uuid_fkey on v_ivr_menus (dialplan_uuid);
create index v_ivr_menus_domain_uuid_fkey on v_ivr_menus (domain_uuid);

create table v_languages (
    language_uuid uuid primary key,
    language text,
    code text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_menu_item_groups (
    menu_item_group_uuid uuid primary key,
    menu_uuid uuid,
    menu_item_uuid uuid,
    group_name text,
    group_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_menu_item_groups_group_uuid_fkey on v_menu_item_groups (group_uuid);
create index v_menu_item_groups_menu_item_uuid_fkey on v_menu_item_groups (menu_item_uuid);
create index v_menu_item_groups_menu_uuid_fkey on v_menu_item_groups (menu_uuid);

create table v_menu_items (
    menu_item_uuid uuid primary key,
    menu_uuid uuid,
    menu_item_parent_uuid uuid,
    uuid uuid,
    menu_item_title text,
    menu_item_link text,
    menu_item_icon text,
    menu_item_icon_color text,
    menu_item_category text,
    menu_item_order numeric,
    menu_item_description text,
    menu_item_add_user text,
    menu_item_add_date text,
    menu_item_mod_user text,
    menu_item_mod_date text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_menu_items_menu_uuid_fkey on v_menu_items (menu_uuid);

create table v_menu_languages (
    menu_language_uuid uuid primary key,
    menu_uuid uuid,
    menu_item_uuid uuid,
    menu_language text,
    menu_item_title text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_menu_languages_menu_item_uuid_fkey on v_menu_languages (menu_item_uuid);
create index v_menu_languages_menu_uuid_fkey on v_menu_languages (menu_uuid);

create table v_menus (
    menu_uuid uuid primary key,
    menu_name text,
    menu_language text,
    menu_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_modules (
    module_uuid uuid primary key,
    module_label text,
    module_name text,
    module_category text,
    module_order numeric,
    module_enabled boolean,
    module_default_enabled boolean,
    module_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_music_on_hold (
    music_on_hold_uuid uuid primary key,
    domain_uuid uuid,
    music_on_hold_name text,
    music_on_hold_path text,
    music_on_hold_rate numeric,
    music_on_hold_shuffle text,
    music_on_hold_channels numeric,
    music_on_hold_interval numeric,
    music_on_hold_timer_name text,
    music_on_hold_chime_list text,
    music_on_hold_chime_freq numeric,
    music_on_hold_chime_max numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_music_on_hold_domain_uuid_fkey on v_music_on_hold (domain_uuid);

create table v_notifications (
    notification_uuid uuid primary key,
    project_notifications text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_number_translation_details (
    number_translation_detail_uuid uuid primary key,
    number_translation_uuid uuid,
    number_translation_detail_regex text,
    number_translation_detail_replace text,
    number_translation_detail_order text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_number_translation_details_number_translation_uuid_fkey on v_number_translation_details (number_translation_uuid);

create table v_number_translations (
    number_translation_uuid uuid primary key,
    number_translation_name text,
    number_translation_enabled boolean,
    number_translation_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_permissions (
    permission_uuid uuid primary key,
    application_uuid uuid,
    application_name text,
    permission_name text,
    permission_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_phrase_details (
    phrase_detail_uuid uuid primary key,
    phrase_uuid uuid,
    domain_uuid uuid,
    phrase_detail_group numeric,
    phrase_detail_tag text,
    phrase_detail_pattern text,
    phrase_detail_function text,
    phrase_detail_data text,
    phrase_detail_method text,
    phrase_detail_type text,
    phrase_detail_order text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_phrase_details_domain_uuid_fkey on v_phrase_details (domain_uuid);
create index v_phrase_details_phrase_uuid_fkey on v_phrase_details (phrase_uuid);

create table v_phrases (
    phrase_uuid uuid primary key,
    domain_uuid uuid,
    phrase_name text,
    phrase_language text,
    phrase_enabled boolean,
    phrase_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_phrases_domain_uuid_fkey on v_phrases (domain_uuid);

create table v_pin_numbers (
    domain_uuid uuid,
    pin_number_uuid uuid primary key,
    pin_number text,
    accountcode text,
    enabled boolean,
    description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_pin_numbers_domain_uuid_fkey on v_pin_numbers (domain_uuid);

create table v_recordings (
    recording_uuid uuid primary key,
    domain_uuid uuid,
    recording_filename text,
    recording_name text,
    recording_voice text,
    recording_speed numeric,
    recording_message text,
    recording_description text,
    recording_base64 text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_recordings_domain_uuid_fkey on v_recordings (domain_uuid);

create table v_ring_group_destinations (
    ring_group_destination_uuid uuid primary key,
    domain_uuid uuid,
    ring_group_uuid uuid,
    destination_number text,
    destination_delay numeric,
    destination_timeout numeric,
    destination_enabled boolean,
    destination_prompt numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid,
    destination_description text
);
create index v_ring_group_destinations_domain_uuid_fkey on v_ring_group_destinations (domain_uuid);
create index v_ring_group_destinations_ring_group_uuid_fkey on v_ring_group_destinations (ring_group_uuid);

create table v_ring_group_users (
    ring_group_user_uuid uuid primary key,
    domain_uuid uuid,
    ring_group_uuid uuid,
    user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_ring_group_users_domain_uuid_fkey on v_ring_group_users (domain_uuid);
create index v_ring_group_users_ring_group_uuid_fkey on v_ring_group_users (ring_group_uuid);
create index v_ring_group_users_user_uuid_fkey on v_ring_group_users (user_uuid);

create table v_ring_groups (
    domain_uuid uuid,
    ring_group_uuid uuid primary key,
    ring_group_name text,
    ring_group_extension text,
    ring_group_greeting text,
    ring_group_exit_key text,
    ring_group_call_timeout numeric,
    ring_group_forward_destination text,
    ring_group_forward_enabled boolean,
    ring_group_caller_id_name text,
    ring_group_caller_id_number text,
    ring_group_cid_name_prefix text,
    ring_group_cid_number_prefix text,
    ring_group_strategy text,
    ring_group_timeout_app text,
    ring_group_timeout_data text,
    ring_group_distinctive_ring text,
    ring_group_ringback text,
    ring_group_call_screen_enabled boolean,
    ring_group_call_forward_enabled boolean,
    ring_group_follow_me_enabled boolean,
    ring_group_missed_call_app text,
    ring_group_missed_call_data text,
    ring_group_context text,
    ring_group_enabled boolean,
    ring_group_description text,
    dialplan_uuid uuid,
    ring_group_forward_toll_allow text,
    ring_group_wait_announcement text,
    ring_group_wait_interval numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_ring_groups_dialplan_uuid_fkey on v_ring_groups (dialplan_uuid);
create index v_ring_groups_domain_uuid_fkey on v_ring_groups (domain_uuid);

create table v_services (
    service_uuid uuid primary key,
    service_name text,
    service_category text,
    service_file text,
    service_enabled boolean,
    service_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_sip_profile_domains (
    sip_profile_domain_uuid uuid primary key,
    sip_profile_uuid uuid,
    sip_profile_domain_name text,
    sip_profile_domain_alias text,
    sip_profile_domain_parse text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_sip_profile_domains_sip_profile_uuid_fkey on v_sip_profile_domains (sip_profile_uuid);

create table v_sip_profile_settings (
    sip_profile_setting_uuid uuid primary key,
    sip_profile_uuid uuid,
    sip_profile_setting_name text,
    sip_profile_setting_value text,
    sip_profile_setting_enabled boolean,
    sip_profile_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_sip_profile_settings_sip_profile_uuid_fkey on v_sip_profile_settings (sip_profile_uuid);

create table v_sip_profiles (
    sip_profile_uuid uuid primary key,
    sip_profile_name text,
    sip_profile_hostname text,
    sip_profile_enabled boolean,
    sip_profile_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_sofia_global_settings (
    sofia_global_setting_uuid uuid primary key,
    global_setting_name text,
    global_setting_value text,
    global_setting_enabled boolean,
    global_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_software (
    software_uuid uuid primary key,
    software_name text,
    software_url text,
    software_version text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_streams (
    stream_uuid uuid primary key,
    domain_uuid uuid,
    stream_name text,
    stream_location text,
    stream_enabled boolean,
    stream_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_streams_domain_uuid_fkey on v_streams (domain_uuid);

create table v_user_groups (
    user_group_uuid uuid primary key,
    domain_uuid uuid,
    group_name text,
    group_uuid uuid,
    user_uuid uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_user_groups_domain_uuid_fkey on v_user_groups (domain_uuid);
create index v_user_groups_group_uuid_fkey on v_user_groups (group_uuid);
create index v_user_groups_user_uuid_fkey on v_user_groups (user_uuid);

create table v_user_logs (
    user_log_uuid uuid primary key,
    domain_uuid uuid,
    hostname text,
    timestamp timestamptz,
    user_uuid uuid,
    username text,
    type text,
    result text,
    detail text,
    remote_address text,
    user_agent text,
    session_id text,
    remember_selector uuid,
    remember_validator text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_user_logs_domain_uuid_fkey on v_user_logs (domain_uuid);

create table v_user_settings (
    user_setting_uuid uuid primary key,
    user_uuid uuid,
    domain_uuid uuid,
    user_setting_category text,
    user_setting_subcategory text,
    user_setting_name text,
    user_setting_value text,
    user_setting_order numeric,
    user_setting_enabled boolean,
    user_setting_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_user_settings_domain_uuid_fkey on v_user_settings (domain_uuid);
create index v_user_settings_user_uuid_fkey on v_user_settings (user_uuid);

create table v_users (
    user_uuid uuid primary key,
    domain_uuid uuid,
    contact_uuid uuid,
    username text,
    password text,
    salt text,
    user_email text,
    user_status text,
    api_key text,
    user_totp_secret text,
    user_type text,
    user_enabled boolean,
    add_user text,
    add_date text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_users_domain_uuid_fkey on v_users (domain_uuid);

create table v_vars (
    var_uuid uuid primary key,
    var_category text,
    var_name text,
    var_value text,
    var_command text,
    var_hostname text,
    var_enabled boolean,
    var_order numeric,
    var_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);

create table v_voicemail_destinations (
    domain_uuid uuid,
    voicemail_destination_uuid uuid primary key,
    voicemail_uuid uuid,
    voicemail_uuid_copy uuid,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_voicemail_destinations_domain_uuid_fkey on v_voicemail_destinations (domain_uuid);
create index v_voicemail_destinations_voicemail_uuid_copy_fkey on v_voicemail_destinations (voicemail_uuid_copy);
create index v_voicemail_destinations_voicemail_uuid_fkey on v_voicemail_destinations (voicemail_uuid);

create table v_voicemail_greetings (
    voicemail_greeting_uuid uuid primary key,
    domain_uuid uuid,
    voicemail_id text,
    greeting_id numeric,
    greeting_name text,
    greeting_voice text,
    greeting_message text,
    greeting_filename text,
    greeting_description text,
    greeting_base64 text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_voicemail_greetings_domain_uuid_fkey on v_voicemail_greetings (domain_uuid);

create table v_voicemail_messages (
    domain_uuid uuid,
    voicemail_message_uuid uuid primary key,
    voicemail_uuid uuid,
    created_epoch numeric,
    read_epoch numeric,
    caller_id_name text,
    caller_id_number text,
    message_length numeric,
    message_status text,
    message_priority text,
    message_intro_base64 text,
    message_base64 text,
    message_transcription text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_voicemail_messages_domain_uuid_fkey on v_voicemail_messages (domain_uuid);
create index v_voicemail_messages_voicemail_uuid_fkey on v_voicemail_messages (voicemail_uuid);

create table v_voicemail_options (
    voicemail_option_uuid uuid primary key,
    domain_uuid uuid,
    voicemail_uuid uuid,
    voicemail_option_digits text,
    voicemail_option_action text,
    voicemail_option_param text,
    voicemail_option_order numeric,
    voicemail_option_description text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_voicemail_options_domain_uuid_fkey on v_voicemail_options (domain_uuid);
create index v_voicemail_options_voicemail_uuid_fkey on v_voicemail_options (voicemail_uuid);

create table v_voicemails (
    domain_uuid uuid,
    voicemail_uuid uuid primary key,
    voicemail_id text,
    voicemail_password text,
    voicemail_tutorial boolean,
    greeting_id numeric,
    voicemail_alternate_greet_id text,
    voicemail_recording_instructions boolean,
    voicemail_recording_options boolean,
    voicemail_mail_to text,
    voicemail_sms_to text,
    voicemail_transcription_enabled boolean,
    voicemail_transcription_prompt_enabled boolean,
    voicemail_transcription_prompt text,
    voicemail_attach_file text,
    voicemail_file text,
    voicemail_local_after_email boolean,
    voicemail_local_after_forward boolean,
    voicemail_enabled boolean,
    voicemail_description text,
    alternate_voicemail_destination text,
    alternate_voicemail_enabled boolean,
    voicemail_name_base64 text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_voicemails_domain_uuid_fkey on v_voicemails (domain_uuid);

create table v_xml_cdr (
    xml_cdr_uuid uuid primary key,
    domain_uuid uuid,
    provider_uuid uuid,
    extension_uuid uuid,
    sip_call_id text,
    domain_name text,
    accountcode text,
    direction text,
    default_language text,
    context text,
    caller_id_name text,
    caller_id_number text,
    caller_destination text,
    source_number text,
    destination_number text,
    start_epoch numeric,
    start_stamp timestamptz,
    answer_stamp timestamptz,
    answer_epoch numeric,
    end_epoch numeric,
    end_stamp timestamptz,
    duration numeric,
    mduration numeric,
    billsec numeric,
    billmsec numeric,
    hold_accum_seconds numeric,
    bridge_uuid text,
    read_codec text,
    read_rate text,
    write_codec text,
    write_rate text,
    remote_media_ip text,
    network_addr text,
    record_path text,
    record_name text,
    record_length numeric,
    record_transcription text,
    leg char(1),
    originating_leg_uuid uuid,
    pdd_ms numeric,
    rtp_audio_in_mos numeric,
    last_app text,
    last_arg text,
    voicemail_message boolean,
    missed_call boolean,
    call_center_queue_uuid uuid,
    cc_side text,
    cc_member_uuid uuid,
    cc_queue_joined_epoch numeric,
    cc_queue text,
    cc_member_session_uuid uuid,
    cc_agent_uuid uuid,
    cc_agent text,
    cc_agent_type text,
    cc_agent_bridged text,
    cc_queue_answered_epoch numeric,
    cc_queue_terminated_epoch numeric,
    cc_queue_canceled_epoch numeric,
    cc_cancel_reason text,
    cc_cause text,
    waitsec numeric,
    conference_name text,
    conference_uuid uuid,
    conference_member_id text,
    digits_dialed text,
    pin_number text,
    status text,
    call_disposition text,
    hangup_cause text,
    hangup_cause_q850 numeric,
    sip_hangup_disposition text,
    ring_group_uuid uuid,
    ivr_menu_uuid uuid,
    processed boolean,
    call_flow jsonb,
    xml text,
    json jsonb,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_xml_cdr_domain_uuid_fkey on v_xml_cdr (domain_uuid);
create index v_xml_cdr_provider_uuid_fkey on v_xml_cdr (provider_uuid);

create table v_xml_cdr_extensions (
    xml_cdr_extension_uuid uuid primary key,
    domain_uuid uuid,
    xml_cdr_uuid uuid,
    extension_uuid uuid,
    start_stamp timestamptz,
    end_stamp timestamptz,
    duration numeric,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_xml_cdr_extensions_domain_uuid_fkey on v_xml_cdr_extensions (domain_uuid);
create index v_xml_cdr_extensions_xml_cdr_uuid_fkey on v_xml_cdr_extensions (xml_cdr_uuid);

create table v_xml_cdr_flow (
    xml_cdr_flow_uuid uuid primary key,
    xml_cdr_uuid uuid,
    domain_uuid uuid,
    call_flow jsonb,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_xml_cdr_flow_domain_uuid_fkey on v_xml_cdr_flow (domain_uuid);
create index v_xml_cdr_flow_xml_cdr_uuid_fkey on v_xml_cdr_flow (xml_cdr_uuid);

create table v_xml_cdr_json (
    xml_cdr_json_uuid uuid primary key,
    xml_cdr_uuid uuid,
    domain_uuid uuid,
    start_stamp timestamptz,
    json jsonb,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_xml_cdr_json_domain_uuid_fkey on v_xml_cdr_json (domain_uuid);
create index v_xml_cdr_json_xml_cdr_uuid_fkey on v_xml_cdr_json (xml_cdr_uuid);

create table v_xml_cdr_logs (
    xml_cdr_log_uuid uuid primary key,
    xml_cdr_uuid uuid,
    domain_uuid uuid,
    log_date text,
    log_content text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_xml_cdr_logs_domain_uuid_fkey on v_xml_cdr_logs (domain_uuid);
create index v_xml_cdr_logs_xml_cdr_uuid_fkey on v_xml_cdr_logs (xml_cdr_uuid);

create table v_xml_cdr_transcripts (
    xml_cdr_transcript_uuid uuid primary key,
    xml_cdr_uuid uuid,
    domain_uuid uuid,
    transcript_json jsonb,
    transcript_summary text,
    insert_date timestamptz,
    insert_user uuid,
    update_date timestamptz,
    update_user uuid
);
create index v_xml_cdr_transcripts_domain_uuid_fkey on v_xml_cdr_transcripts (domain_uuid);
create index v_xml_cdr_transcripts_xml_cdr_uuid_fkey on v_xml_cdr_transcripts (xml_cdr_uuid);
