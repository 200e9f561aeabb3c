using System.CommandLine;
using System.CommandLine.Parsing;
using Hami.Api.Plumbing;

namespace Hami.Api.Commands;

/// <summary>The flags that say whose results count: ours by their signature, another scheduler's while we take over from it.</summary>
internal sealed class SigningFlags
{
    private readonly Option<string?> _key = new("--signing-key-file")
    {
        Description = "Ed25519 private key, PEM (PKCS#8), that allocations are signed with; every replica is given the same. Unsigned when not given.",
    };
    private readonly Option<bool> _adopt = Flag.Switch(
        "--adopt", false, "Count what HAMi's annotations say of pods it placed. For the time of a migration: whoever may write annotations can take capacity by them.");

    public void AddTo(Command command)
    {
        command.Options.Add(_key);
        command.Options.Add(_adopt);
        command.Validators.Add(Validate);
    }

    public ResultOptions Read(ParseResult parsed) => new(
        parsed.GetValue(_key) is { } file ? SigningKey.Read(file) : null, parsed.GetValue(_adopt));

    private void Validate(CommandResult result)
    {
        if (result.TextOf(_key) is { } file && WhyNot.Of(() => SigningKey.Read(file)) is { } unusable)
            result.AddError($"--signing-key-file {file}: {unusable}");
    }
}
