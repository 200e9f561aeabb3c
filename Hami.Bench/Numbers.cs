using System.CommandLine;

namespace Hami.Bench;

/// <summary>Options that are whole numbers.</summary>
internal static class Numbers
{
    public static Option<int> Option(string name, string description, int otherwise, int least, int most)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && int.TryParse(text, out var value) && (value < least || value > most))
                result.AddError($"{name} {value}: give a number from {least} to {most}.");
        });
        return option;
    }
}
