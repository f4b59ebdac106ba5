-- Whether a number may be a destination once on the whole system. It is the operator's to say, so a domain's own
-- setting does not count.
-- out: value text; no row where nothing is said
select default_setting_value as value
  from v_default_settings
 where default_setting_category = 'destinations' and default_setting_subcategory = 'unique'
   and default_setting_enabled::text = 'true'
 limit 1
