-- The settings of a domain.
-- in:  domain_uuid uuid
-- out: domain_setting_uuid, category, subcategory, name (the type), value, order, enabled, description
-- index: v_domain_settings (domain_uuid)
select s.domain_setting_uuid,
       coalesce(s.domain_setting_category, '') as category,
       coalesce(s.domain_setting_subcategory, '') as subcategory,
       coalesce(s.domain_setting_name, '') as name,
       coalesce(s.domain_setting_value, '') as value,
       coalesce(s.domain_setting_order::text, '') as "order",
       coalesce(s.domain_setting_enabled::text, 'false') as enabled,
       coalesce(s.domain_setting_description, '') as description
  from v_domain_settings as s
 where s.domain_uuid = %(domain_uuid)s
 order by category, subcategory, s.domain_setting_order nulls first, name, value, s.domain_setting_uuid
