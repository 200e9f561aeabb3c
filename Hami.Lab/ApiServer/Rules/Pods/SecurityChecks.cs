using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Hami.Lab.ApiServer;

/// <summary>Users, groups, profiles and the node's namespaces.</summary>
internal static partial class SecurityChecks
{
    private const string SysctlForm = @"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

    public static void CheckPod(JsonObject spec, string path, Causes causes)
    {
        var (context, at) = (spec.MapAt("securityContext"), $"{path}.securityContext");
        foreach (var id in (string[])["fsGroup", "runAsUser", "runAsGroup"])
            causes.InRange(context, id, at, 0, uint.MaxValue);
        foreach (var (group, i) in (context.ListAt("supplementalGroups") ?? []).Select((g, i) => (g, i)))
        {
            if (group is not null && long.Parse(group.ToJsonString()) is var id and (< 0 or > uint.MaxValue))
                causes.Invalid($"{at}.supplementalGroups[{i}]", id, Formats.Between(0, uint.MaxValue));
        }
        if (spec.FlagAt("shareProcessNamespace") && spec.FlagAt("hostPID"))
            causes.Invalid($"{at}.shareProcessNamespace", true, "ShareProcessNamespace and HostPID cannot both be enabled");
        CheckSysctls(context.At("sysctls"), $"{at}.sysctls", spec, causes);
        causes.OneOf(context, "fsGroupChangePolicy", at, "Always", "OnRootMismatch");
        CheckSeccomp(context.MapAt("seccompProfile"), $"{at}.seccompProfile", causes);
        CheckAppArmor(context.MapAt("appArmorProfile"), $"{at}.appArmorProfile", causes);
        causes.OneOf(context, "supplementalGroupsPolicy", at, "Merge", "Strict");
        causes.OneOf(context, "seLinuxChangePolicy", at, "MountOption", "Recursive");
    }

    public static void CheckContainer(JsonObject? context, string at, bool hostUsers, Causes causes)
    {
        if (context is null)
            return;
        causes.InRange(context, "runAsUser", at, 0, uint.MaxValue);
        causes.InRange(context, "runAsGroup", at, 0, uint.MaxValue);
        causes.OneOf(context, "procMount", at, "Default", "Unmasked");
        if (hostUsers && context.TextAt("procMount") is "Unmasked")
            causes.Invalid($"{at}.procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`");
        CheckSeccomp(context.MapAt("seccompProfile"), $"{at}.seccompProfile", causes);
        if (context.At("allowPrivilegeEscalation") is not null && !context.FlagAt("allowPrivilegeEscalation"))
        {
            if (context.FlagAt("privileged"))
                causes.Invalid(at, Shown(context), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
            if (context.At("capabilities", "add").Texts().Contains("CAP_SYS_ADMIN", StringComparer.Ordinal))
                causes.Invalid(at, Shown(context), "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
        }
        CheckAppArmor(context.MapAt("appArmorProfile"), $"{at}.appArmorProfile", causes);
    }

    /// <summary>Whether the pod's users are not the node's.</summary>
    public static bool OwnUsers(JsonObject spec) => spec["hostUsers"] is not null && !spec.FlagAt("hostUsers");

    public static void CheckUserNamespace(JsonObject spec, string at, Causes causes)
    {
        if (!OwnUsers(spec))
            return;
        foreach (var (name, shown) in new[] { ("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC") })
        {
            if (spec.FlagAt(name))
                causes.Forbidden($"{at}.{shown}", "when `pod.Spec.HostUsers` is false");
        }
    }

    // As Go's own type would be written: it has no names of the wire.
    private static JsonObject Shown(JsonObject context)
    {
        var shown = new JsonObject();
        foreach (var name in (string[])["capabilities", "privileged", "seLinuxOptions", "windowsOptions", "runAsUser", "runAsGroup", "runAsNonRoot", "readOnlyRootFilesystem",
            "allowPrivilegeEscalation", "procMount", "seccompProfile", "appArmorProfile"])
        {
            var go = name switch { "seLinuxOptions" => "SELinuxOptions", _ => char.ToUpperInvariant(name[0]) + name[1..] };
            shown[go] = name is "capabilities" && context[name] is JsonObject capabilities
                ? new JsonObject { ["Add"] = capabilities["add"]?.DeepClone(), ["Drop"] = capabilities["drop"]?.DeepClone() }
                : context[name]?.DeepClone();
        }
        return shown;
    }

    private static void CheckSysctls(JsonNode? sysctls, string at, JsonObject spec, Causes causes)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (sysctl, here) in sysctls.Numbered(at))
        {
            var name = sysctl.TextAt("name") ?? "";
            if (name.Length == 0)
                causes.Required($"{here}.name");
            else if (name.Length > 253 || !Sysctl().IsMatch(name))
                causes.Invalid($"{here}.name", name, $"must have at most 253 characters and match regex {SysctlForm}");
            else if (!seen.Add(name))
                causes.Duplicate($"{here}.name", name);
            if (spec.FlagAt("hostNetwork") && name.Replace('/', '.').StartsWith("net.", StringComparison.Ordinal))
                causes.Invalid($"{here}.name", name, "may not be specified when 'hostNetwork' is true");
            if (spec.FlagAt("hostIPC") && Shared().IsMatch(name))
                causes.Invalid($"{here}.name", name, "may not be specified when 'hostIPC' is true");
        }
    }

    private static void CheckSeccomp(JsonObject? profile, string at, Causes causes)
    {
        if (profile is null)
            return;
        var (type, local) = (profile.TextAt("type") ?? "", profile.TextAt("localhostProfile"));
        if (type.Length == 0)
            causes.Required($"{at}.type", "type is required when seccompProfile is set");
        else
            causes.OneOf(profile, "type", at, "Localhost", "RuntimeDefault", "Unconfined");
        if (type is "Localhost" && local is null)
            causes.Required($"{at}.localhostProfile", "must be set when seccomp type is Localhost");
        else if (type is "Localhost")
            causes.Invalid($"{at}.localhostProfile", local!, Formats.PathBelow(local!));
        else if (local is not null)
            causes.Invalid($"{at}.localhostProfile", new JsonObject { ["Type"] = type, ["LocalhostProfile"] = local }, "can only be set when seccomp type is Localhost");
    }

    private static void CheckAppArmor(JsonObject? profile, string at, Causes causes)
    {
        if (profile is null)
            return;
        var local = profile.TextAt("localhostProfile");
        switch (profile.TextAt("type") ?? "")
        {
            case "Localhost" when string.IsNullOrEmpty(local):
                causes.Required($"{at}.localhostProfile", "must be set when AppArmor type is Localhost");
                break;
            case "Localhost" when local.Trim() != local:
                causes.Invalid($"{at}.localhostProfile", local, "must not be padded with whitespace");
                break;
            case "RuntimeDefault" or "Unconfined" when local is not null:
                causes.Invalid($"{at}.localhostProfile", local, "can only be set when AppArmor type is Localhost");
                break;
            case "":
                causes.Required($"{at}.type", "type is required when appArmorProfile is set");
                break;
            default:
                causes.OneOf(profile, "type", at, "Localhost", "RuntimeDefault", "Unconfined");
                break;
        }
    }

    [GeneratedRegex(@"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Sysctl();

    [GeneratedRegex(@"^(kernel[./](sem|shm|msg)|fs[./]mqueue[./])", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Shared();
}
