using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Hami.Api.Commands;

/// <summary>Flags that name a moment: <c>2026-03-01T12:00:00Z</c>, UTC where no offset is given, or how long ago, as <c>90m</c>.</summary>
internal static class MomentFlag
{
    public static Option<DateTimeOffset> Create(string name, string description, Func<DateTimeOffset>? otherwise)
    {
        var option = new Option<DateTimeOffset>(name)
        {
            Description = $"{description} As 2026-03-01T12:00:00Z, UTC where no offset is given, or how long ago, as 90m.",
            CustomParser = Read,
            Required = otherwise is null,
        };
        if (otherwise is not null)
            option.DefaultValueFactory = _ => otherwise();
        return option;

        DateTimeOffset Read(ArgumentResult result)
        {
            var text = result.Tokens[0].Value;
            if (GoValues.TryDuration(text, out var ago))
                return TimeProvider.System.GetUtcNow() - ago;
            if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at))
                return at;
            result.AddError($"{name} {text} is no moment such as 2026-03-01T12:00:00Z, nor a time ago such as 90m.");
            return default;
        }
    }
}
