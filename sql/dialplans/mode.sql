-- How the switch finds the dialplan of a number that is called from outside, as its script reads it: of all
-- domains, and whether the setting is enabled or not.
-- out: mode text, ``single`` or ``multiple``; no row counts as multiple
select default_setting_value as mode
  from v_default_settings
 where default_setting_category = 'destinations' and default_setting_subcategory = 'dialplan_mode'
 limit 1
